"""Writes the well-known .proto files from their descriptors, without options and comments.

    pip install 'confluent-kafka[protobuf]' googleapis-common-protos
    python make.py
"""

import importlib
import pathlib

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto

PROTOBUF = "any api descriptor duration empty field_mask source_context struct timestamp type wrappers".split()
TYPES = (
    "calendar_period color date datetime dayofweek decimal expr fraction interval latlng money month "
    "phone_number postal_address quaternion timeofday"
).split()
CONFLUENT = {"confluent.meta": "confluent_kafka.schema_registry.confluent.meta_pb2",
             "confluent.type.decimal": "confluent_kafka.schema_registry.confluent.type.decimal_pb2"}
HERE = pathlib.Path(__file__).parent
SCALARS = {number: name[5:].lower() for name, number in Field.Type.items()}


def type_of(field):
    return field.type_name if field.type_name else SCALARS[field.type]


def field_lines(message, indent):
    real = {f.oneof_index for f in message.field if f.HasField("oneof_index") and not f.proto3_optional}
    entries = {n.name: n for n in message.nested_type if n.options.map_entry}
    open_oneof = None
    for field in message.field:
        oneof = field.oneof_index if field.HasField("oneof_index") and field.oneof_index in real else None
        if oneof != open_oneof:
            if open_oneof is not None:
                yield f"{indent}}}"
            if oneof is not None:
                yield f"{indent}oneof {message.oneof_decl[oneof].name} {{"
            open_oneof = oneof
        entry = entries.get(field.type_name.rsplit(".", 1)[-1]) if field.label == Field.LABEL_REPEATED else None
        if entry:
            key, value = entry.field
            kind = f"map<{type_of(key)}, {type_of(value)}>"
        elif field.label == Field.LABEL_REPEATED:
            kind = f"repeated {type_of(field)}"
        elif field.label == Field.LABEL_REQUIRED:
            kind = f"required {type_of(field)}"
        elif field.proto3_optional or (message_syntax == "proto2" and oneof is None):
            kind = f"optional {type_of(field)}"
        else:
            kind = type_of(field)
        options = ""
        if field.default_value:
            quoted = f'"{field.default_value}"' if field.type == Field.TYPE_STRING else field.default_value
            options = f" [default = {quoted}]"
        inner = indent + ("  " if oneof is not None else "")
        yield f"{inner}{kind} {field.name} = {field.number}{options};"
    if open_oneof is not None:
        yield f"{indent}}}"


def enum_lines(enum, indent):
    yield f"{indent}enum {enum.name} {{"
    if enum.options.allow_alias:
        yield f"{indent}  option allow_alias = true;"
    for value in enum.value:
        yield f"{indent}  {value.name} = {value.number};"
    yield f"{indent}}}"


def message_lines(message, indent):
    yield f"{indent}message {message.name} {{"
    for nested in message.nested_type:
        if not nested.options.map_entry:
            yield from message_lines(nested, indent + "  ")
    for enum in message.enum_type:
        yield from enum_lines(enum, indent + "  ")
    yield from field_lines(message, indent + "  ")
    yield f"{indent}}}"


def write(name, module):
    global message_syntax
    file = FileDescriptorProto()
    importlib.import_module(module).DESCRIPTOR.CopyToProto(file)
    message_syntax = file.syntax or "proto2"
    lines = [f'syntax = "{message_syntax}";', f"package {file.package};"]
    lines += [f'import "{imported}";' for imported in file.dependency]
    for enum in file.enum_type:
        lines += enum_lines(enum, "")
    for message in file.message_type:
        lines += message_lines(message, "")
    path = HERE / f"{name.replace('.', '/')}.proto"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


for name in PROTOBUF:
    write(f"google.protobuf.{name}", f"google.protobuf.{name}_pb2")
for name in TYPES:
    write(f"google.type.{name}", f"google.type.{name}_pb2")
for name, module in CONFLUENT.items():
    write(name, module)
