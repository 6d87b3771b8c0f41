"""Writes the golden files with Confluent's ProtobufSerializer for Python.

    pip install 'confluent-kafka[protobuf]==2.16.1' grpcio-tools googleapis-common-protos
    python make.py [random messages, 50] [seed, 1]

A line of `messages.tsv`, `random.tsv` and `merged.tsv` is the message's full name, the payload behind the five bytes of the schema's id in
hexadecimal, and the value that it means here as JSON, by the rules in docs/formats.md as `value` has them.
"""

import base64
import importlib
import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
OUT = pathlib.Path(tempfile.mkdtemp())
import confluent_kafka.schema_registry as registry_package
import grpc_tools

INCLUDES = [HERE, pathlib.Path(grpc_tools.__file__).parent / "_proto", HERE / "../../well_known"]
subprocess.run(
    [sys.executable, "-m", "grpc_tools.protoc", *[f"-I{i}" for i in INCLUDES], f"--python_out={OUT}",
     "money.proto", "all.proto", "legacy.proto"], check=True, cwd=HERE)
sys.path[:0] = [str(OUT), str(pathlib.Path(registry_package.__file__).parent)]
import all_pb2
import legacy_pb2
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor import FieldDescriptor as Field

CLIENT = SchemaRegistryClient.new_client({"url": "mock://golden"})
WRAPPERS = {f"google.protobuf.{n}Value" for n in "Double Float Int64 UInt64 Int32 UInt32 Bool String Bytes".split()}


def double(number):
    if math.isnan(number):
        return "NaN"
    return number if math.isfinite(number) else ("Infinity" if number > 0 else "-Infinity")


def single(number):
    """The shortest digits that are this float."""
    if not math.isfinite(number):
        return double(number)
    for digits in range(1, 10):
        short = float(f"{number:.{digits}g}")
        if struct.pack("f", short) == struct.pack("f", number):
            return short
    raise AssertionError(number)


def fraction(nanos, least):
    for digits in (least, 3, 6, 9):
        if nanos % 10 ** (9 - digits) == 0:
            return f".{nanos // 10 ** (9 - digits):0{digits}}" if digits else ""


def civil(days):
    """Days since 1970 as a date; Python's own dates do the same."""
    import datetime
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days)).isoformat()


def scalar(field, found):
    if field.type == Field.TYPE_DOUBLE:
        return double(found)
    if field.type == Field.TYPE_FLOAT:
        return single(found)
    if field.type == Field.TYPE_BYTES:
        return base64.b64encode(found).decode()
    if field.type == Field.TYPE_ENUM:
        return next((v.name for v in field.enum_type.values if v.number == found), found)
    if field.message_type:
        return value(found)
    return found


def value(message):
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        clock = message.seconds % 86400
        return (f"{civil(message.seconds // 86400)}T{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}"
                f"{fraction(message.nanos, 3)}Z")
    if name == "google.protobuf.Duration":
        sign = "-" if message.seconds < 0 or message.nanos < 0 else ""
        return f"{sign}{abs(message.seconds)}{fraction(abs(message.nanos), 0)}s"
    if name in WRAPPERS:
        return scalar(message.DESCRIPTOR.fields[0], message.value)
    if name == "google.protobuf.Struct":
        return {key: value(member) for key, member in message.fields.items()}
    if name == "google.protobuf.ListValue":
        return [value(element) for element in message.values]
    if name == "google.protobuf.Value":
        kind = message.WhichOneof("kind")
        if kind in (None, "null_value"):
            return None
        return scalar(message.DESCRIPTOR.fields_by_name[kind], getattr(message, kind))
    if name == "google.type.Date":
        return f"{message.year:04}-{message.month:02}-{message.day:02}"
    if name == "google.type.TimeOfDay":
        return f"{message.hours:02}:{message.minutes:02}:{message.seconds:02}{fraction(message.nanos, 3)}"
    if name == "confluent.type.Decimal":
        import decimal
        unscaled = int.from_bytes(message.value, "big", signed=True)
        return Digits(str(decimal.Decimal(unscaled).scaleb(-message.scale, decimal.Context(prec=999))))
    row = {}
    for field in message.DESCRIPTOR.fields:
        found = getattr(message, field.name if field.type != Field.TYPE_GROUP else field.message_type.name.lower())
        entry = field.message_type and field.message_type.GetOptions().map_entry
        if entry:
            member = field.message_type.fields_by_name["value"]
            row[field.name] = {
                (str(key).lower() if isinstance(key, bool) else str(key)): scalar(member, found[key]) for key in found
            }
        elif field.is_repeated:
            row[field.name] = [scalar(field, element) for element in found]
        elif field.has_presence and not message.HasField(field.name) and not field.has_default_value:
            row[field.name] = None
        else:
            row[field.name] = scalar(field, found)
    return row


class Digits(str):
    """A number whose digits are written as they are."""


def to_json(row):
    if isinstance(row, Digits):
        return str(row)
    if isinstance(row, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{to_json(v)}" for k, v in row.items()) + "}"
    if isinstance(row, list):
        return "[" + ",".join(map(to_json, row)) + "]"
    return json.dumps(row, ensure_ascii=False)


SERIALIZERS = {}


def line(message, merged=None):
    """With `merged`, the bytes of both messages one after the other: every field that occurs again is merged."""
    kind = type(message)
    if kind not in SERIALIZERS:
        SERIALIZERS[kind] = ProtobufSerializer(kind, CLIENT, {"use.deprecated.format": False})
    context = SerializationContext(message.DESCRIPTOR.full_name, MessageField.VALUE)
    payload = SERIALIZERS[kind](message, context)[5:]
    if merged:
        payload += merged.SerializeToString()
        message = kind.FromString(message.SerializeToString() + merged.SerializeToString())
    return f"{message.DESCRIPTOR.full_name}\t{payload.hex()}\t{to_json(value(message))}\n"


INTEGERS = {
    Field.TYPE_INT32: (-2**31, 2**31 - 1), Field.TYPE_SINT32: (-2**31, 2**31 - 1), Field.TYPE_SFIXED32: (-2**31, 2**31 - 1),
    Field.TYPE_INT64: (-2**63, 2**63 - 1), Field.TYPE_SINT64: (-2**63, 2**63 - 1), Field.TYPE_SFIXED64: (-2**63, 2**63 - 1),
    Field.TYPE_UINT32: (0, 2**32 - 1), Field.TYPE_FIXED32: (0, 2**32 - 1),
    Field.TYPE_UINT64: (0, 2**64 - 1), Field.TYPE_FIXED64: (0, 2**64 - 1),
}
SIGNS = [1, -1]
TEXTS = ["", "a", "Ünïcødé €", "line\nbreak", '"quoted"\\', "\0", "🙂" * 3]


def random_scalar(field, rng):
    kind = field.type
    if kind in INTEGERS:
        low, high = INTEGERS[kind]
        return rng.choice([0, 1, low, high, rng.randint(low, high), max(low, min(high, rng.randint(-300, 300)))])
    if kind == Field.TYPE_DOUBLE:
        return rng.choice([0.0, -0.0, 0.1, 1e308, 5e-324, math.nan, math.inf, -math.inf, rng.uniform(-1e9, 1e9)])
    if kind == Field.TYPE_FLOAT:
        number = rng.choice([0.0, -0.0, 0.1, 3.4e38, 1e-45, math.nan, math.inf, -math.inf, rng.uniform(-1e9, 1e9)])
        return struct.unpack("f", struct.pack("f", number))[0]
    if kind == Field.TYPE_BOOL:
        return rng.random() < 0.5
    if kind == Field.TYPE_STRING:
        return rng.choice(TEXTS)
    if kind == Field.TYPE_BYTES:
        return rng.randbytes(rng.choice([0, 1, 9]))
    if kind == Field.TYPE_ENUM:
        return rng.choice([v.number for v in field.enum_type.values] + [99, -2**31])
    raise AssertionError(field.name)


def fill(message, rng, depth, density=0.35):
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds = rng.choice([0, -62135596800, 253402300799, rng.randint(-10**10, 10**10)])
        message.nanos = rng.choice([0, 1, 999999999, 120000000, 5000])
    elif name == "google.protobuf.Duration":
        sign = rng.choice(SIGNS)
        message.seconds = sign * rng.choice([0, 1, 315576000000, rng.randint(0, 10**6)])
        message.nanos = sign * rng.choice([0, 1, 999999999, 120000000, 5000])
    elif name == "google.type.Date":
        message.year, message.month, message.day = rng.randint(1, 9999), rng.randint(1, 12), rng.randint(1, 28)
    elif name == "google.type.TimeOfDay":
        message.hours, message.minutes = rng.randint(0, 23), rng.randint(0, 59)
        message.seconds, message.nanos = rng.randint(0, 59), rng.choice([0, 1, 999999999, 120000000])
    elif name == "confluent.type.Decimal":
        # As few digits behind the point as the number needs and as few bytes, which is how it is written here.
        unscaled, scale = rng.choice([(0, 0), (1, 0), (-1, 3), (12345678901234567890123, 5), (-128, 0), (255, 2)])
        length = 1
        while not -(1 << 8 * length - 1) <= unscaled < 1 << 8 * length - 1:
            length += 1
        message.value = unscaled.to_bytes(length, "big", signed=True)
        message.precision, message.scale = len(str(abs(unscaled))), scale
    elif name == "google.protobuf.Value":
        kind = rng.randrange(6 if depth else 4)
        if kind == 0:
            message.null_value = 0
        elif kind == 1:
            message.number_value = rng.choice([0.0, -1.5, 1e300, 2.0**53])
        elif kind == 2:
            message.string_value = rng.choice(TEXTS)
        elif kind == 3:
            message.bool_value = rng.random() < 0.5
        elif kind == 4:
            message.struct_value.SetInParent()
            fill(message.struct_value, rng, depth - 1, 0.8)
        else:
            message.list_value.SetInParent()
            fill(message.list_value, rng, depth - 1, 0.8)
    else:
        fill_fields(message, rng, depth, density)
    return message


def fill_fields(message, rng, depth, density):
    required = [f for f in message.DESCRIPTOR.fields if f.is_required]
    for field in message.DESCRIPTOR.fields:
        if field not in required and rng.random() > density:
            continue
        name = field.name if field.type != Field.TYPE_GROUP else field.message_type.name.lower()
        entry = field.message_type and field.message_type.GetOptions().map_entry
        if entry:
            key, member = field.message_type.fields
            for _ in range(rng.randrange(4)):
                at = random_scalar(key, rng)
                if member.message_type:
                    fill(getattr(message, name)[at], rng, 0)
                elif member.enum_type and member.enum_type.is_closed:
                    getattr(message, name)[at] = rng.choice([v.number for v in member.enum_type.values])
                else:
                    getattr(message, name)[at] = random_scalar(member, rng)
        elif field.message_type and depth == 0:
            continue
        elif field.message_type and field.is_repeated:
            for _ in range(rng.randrange(4)):
                fill(getattr(message, name).add(), rng, depth - 1)
        elif field.message_type:
            getattr(message, name).SetInParent()
            fill(getattr(message, name), rng, depth - 1)
            # Null is written as no value at all here.
            if field.message_type.full_name == "google.protobuf.Value" and getattr(message, name).HasField("null_value"):
                message.ClearField(name)
        elif field.is_repeated:
            getattr(message, name).extend(random_scalar(field, rng) for _ in range(rng.randrange(4)))
        elif field.enum_type and field.enum_type.is_closed:
            setattr(message, name, rng.choice([v.number for v in field.enum_type.values]))
        else:
            setattr(message, name, random_scalar(field, rng))


def full(seed):
    """Nearly every field is set."""
    return fill(all_pb2.All(), random.Random(seed), 3, 0.97)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    second = all_pb2.Second(id="s", nested=all_pb2.Second.Nested(id="n", inner=all_pb2.Second.Nested.Inner(count=-3)))
    order = legacy_pb2.Order(id="o-1")
    set_order = legacy_pb2.Order(id="o-2", quantity=0, priority=0, note="", seal=b"", status=1, rate=0, marks=[1, -1],
                                 packed_marks=[2, 3], states={"x": 3})
    set_order.address.city = "Bern"
    set_order.address.line.add(text="first")
    set_order.address.line.add(text="second")
    set_order.Extensions[legacy_pb2.extra] = "unseen"
    chosen = [all_pb2.All(chosen_int32=0), all_pb2.All(chosen_string=""), all_pb2.All(chosen_leaf=all_pb2.Leaf())]
    zeros = all_pb2.All(optional_int32=0, optional_double=0, optional_string="", optional_bytes=b"", optional_bool=False,
                        optional_color=0)
    messages = [all_pb2.All(), full(1), full(2), zeros, *chosen, second, second.nested, second.nested.inner, order, set_order]
    (HERE / "messages.tsv").write_text("".join(map(line, messages)))
    rng = random.Random(seed)
    kinds = [all_pb2.All, all_pb2.All, all_pb2.All, legacy_pb2.Order, all_pb2.Second]
    with open(HERE / "random.tsv", "w") as out:
        for _ in range(count):
            out.write(line(fill(rng.choice(kinds)(), rng, 3)))
    # Seconds and nanoseconds of two durations must not differ in their sign.
    SIGNS.remove(-1)
    with open(HERE / "merged.tsv", "w") as out:
        for _ in range(count // 2):
            kind = rng.choice(kinds)
            out.write(line(*(fill(kind(), rng, 3, 0.5) for _ in range(2))))
    for name, kind in [("all", all_pb2.All), ("legacy", legacy_pb2.Order)]:
        registered = CLIENT.get_latest_version(f"{kind.DESCRIPTOR.full_name}-value").schema
        (HERE / f"{name}.descriptor").write_text(registered.schema_str + "\n")
        print(name, [(r.name, r.subject, r.version) for r in registered.references])
    money = CLIENT.get_latest_version("money.proto").schema
    (HERE / "money.descriptor").write_text(money.schema_str + "\n")


main()
