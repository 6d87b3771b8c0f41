"""Writes the golden files: bytes that fastavro writes, with what they mean as JSON.

    pip install fastavro==1.13.1 && python3 make.py

Each NAME.avsc is a schema, NAME.bin the records one behind the other, each preceded by its length in four bytes
(big-endian), NAME.jsonl the records as `connect` shows them, one a line.
"""

import datetime as dt
import decimal
import io
import json
import struct
import uuid

import fastavro

UTC = dt.timezone.utc


def write(name, schema, records):
    parsed = fastavro.parse_schema(schema)
    with open(f"{name}.avsc", "w") as file:
        json.dump(schema, file)
        file.write("\n")
    with open(f"{name}.bin", "wb") as binary, open(f"{name}.jsonl", "w") as lines:
        for record, shown in records:
            out = io.BytesIO()
            fastavro.schemaless_writer(out, parsed, record)
            binary.write(struct.pack(">I", len(out.getvalue())) + out.getvalue())
            lines.write(shown if isinstance(shown, str) else json.dumps(shown, separators=(",", ":"), ensure_ascii=False))
            lines.write("\n")


def logical(type_, name, **more):
    return {"type": type_, "logicalType": name, **more}


# Namespaces: an empty one is the null namespace, also inside another one, and both E are types of their own.
write(
    "namespaces",
    {"type": "record", "name": "R", "namespace": "n", "fields": [
        {"name": "a", "type": {"type": "enum", "name": "E", "namespace": "", "symbols": ["A", "B"]}},
        {"name": "b", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}},
        {"name": "c", "type": "n.E"},
        {"name": "d", "type": "E"},
        {"name": "f", "type": {"type": "fixed", "name": "F", "namespace": "", "size": 1}},
        {"name": "g", "type": {"type": "fixed", "name": "F", "size": 2}},
        {"name": "h", "type": ["null", "n.F"]},
        {"name": "next", "type": ["null", "R"]},
    ]},
    [(
        {"a": "A", "b": "X", "c": "Y", "d": "Y", "f": b"\x01", "g": b"\x02\x03", "h": b"\x04\x05", "next": None},
        {"a": "A", "b": "X", "c": "Y", "d": "Y", "f": "AQ==", "g": "AgM=", "h": "BAU=", "next": None},
    )],
)

write(
    "logical",
    {"type": "record", "name": "L", "fields": [
        {"name": "date", "type": logical("int", "date")},
        {"name": "millis", "type": logical("int", "time-millis")},
        {"name": "micros", "type": logical("long", "time-micros")},
        {"name": "at_millis", "type": logical("long", "timestamp-millis")},
        {"name": "at_micros", "type": logical("long", "timestamp-micros")},
        {"name": "local_millis", "type": logical("long", "local-timestamp-millis")},
        {"name": "local_micros", "type": logical("long", "local-timestamp-micros")},
        {"name": "price", "type": logical("bytes", "decimal", precision=20, scale=4)},
        {"name": "total", "type": {"name": "T", **logical("fixed", "decimal", precision=18, scale=2, size=8)}},
        {"name": "id", "type": logical("string", "uuid")},
    ]},
    [
        (
            {
                "date": dt.date(2026, 11, 20), "millis": dt.time(20, 15, 0, 500_000), "micros": dt.time(20, 15, 0, 1),
                "at_millis": dt.datetime(2026, 11, 20, 20, 35, 19, 42_000, UTC),
                "at_micros": dt.datetime(2026, 11, 20, 20, 35, 19, 42_001, UTC),
                "local_millis": dt.datetime(2026, 11, 20, 20, 35, 19, 42_000),
                "local_micros": dt.datetime(2026, 11, 20, 20, 35, 19, 42_001),
                "price": decimal.Decimal("-1234567890123456.7891"), "total": decimal.Decimal("-1.50"),
                "id": uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            },
            '{"date":"2026-11-20","millis":"20:15:00.500","micros":"20:15:00.000001","at_millis":"2026-11-20T20:35:19.042Z",'
            '"at_micros":"2026-11-20T20:35:19.042001Z","local_millis":"2026-11-20T20:35:19.042",'
            '"local_micros":"2026-11-20T20:35:19.042001","price":-1234567890123456.7891,"total":-1.50,'
            '"id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}',
        ),
        (
            {
                "date": dt.date.max, "millis": dt.time(23, 59, 59, 999_000), "micros": dt.time.max,
                "at_millis": dt.datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC),
                "at_micros": dt.datetime.max.replace(tzinfo=UTC),
                "local_millis": dt.datetime(9999, 12, 31, 23, 59, 59, 999_000), "local_micros": dt.datetime.max,
                "price": decimal.Decimal("9999999999999999.9999"), "total": decimal.Decimal("9999999999999999.99"),
                "id": uuid.UUID(int=0),
            },
            '{"date":"9999-12-31","millis":"23:59:59.999","micros":"23:59:59.999999","at_millis":"9999-12-31T23:59:59.999Z",'
            '"at_micros":"9999-12-31T23:59:59.999999Z","local_millis":"9999-12-31T23:59:59.999",'
            '"local_micros":"9999-12-31T23:59:59.999999","price":9999999999999999.9999,"total":9999999999999999.99,'
            '"id":"00000000-0000-0000-0000-000000000000"}',
        ),
        (
            {
                "date": dt.date.min, "millis": dt.time.min, "micros": dt.time.min,
                "at_millis": dt.datetime.min.replace(tzinfo=UTC), "at_micros": dt.datetime.min.replace(tzinfo=UTC),
                "local_millis": dt.datetime.min, "local_micros": dt.datetime.min,
                "price": decimal.Decimal("0"), "total": decimal.Decimal("-0.01"), "id": uuid.UUID(int=2**128 - 1),
            },
            '{"date":"0001-01-01","millis":"00:00:00.000","micros":"00:00:00.000000","at_millis":"0001-01-01T00:00:00.000Z",'
            '"at_micros":"0001-01-01T00:00:00.000000Z","local_millis":"0001-01-01T00:00:00.000",'
            '"local_micros":"0001-01-01T00:00:00.000000","price":0.0000,"total":-0.01,'
            '"id":"ffffffff-ffff-ffff-ffff-ffffffffffff"}',
        ),
    ],
)

write(
    "nested",
    {"type": "record", "name": "Order", "namespace": "shop", "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["CASH", "CARD"]}},
        {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
            {"name": "sku", "type": "string"}, {"name": "prices", "type": {"type": "map", "values": ["int", "double"]}}]}}},
        {"name": "first", "type": ["null", "Item"], "default": None},
        {"name": "photo", "type": "bytes"},
        {"name": "flags", "type": {"type": "array", "items": "boolean"}},
        {"name": "ratio", "type": "float"},
        {"name": "rate", "type": "double"},
    ]},
    [
        (
            {"id": -(2**63), "note": "é\"\n", "kind": "CARD", "items": [
                {"sku": "a", "prices": {"x": 1, "y": 0.1}}, {"sku": "", "prices": {}}],
             "first": {"sku": "ü", "prices": {"z": -2}}, "photo": b"\x00\xff\xfe", "flags": [True, False],
             "ratio": 0.1, "rate": float("-inf")},
            '{"id":-9223372036854775808,"note":"é\\"\\n","kind":"CARD","items":[{"sku":"a","prices":{"x":1,"y":0.1}},'
            '{"sku":"","prices":{}}],"first":{"sku":"ü","prices":{"z":-2}},"photo":"AP/+","flags":[true,false],'
            '"ratio":0.1,"rate":"-Infinity"}',
        ),
        (
            {"id": 2**63 - 1, "note": None, "kind": "CASH", "items": [], "first": None, "photo": b"", "flags": [],
             "ratio": float("nan"), "rate": 5e-324},
            '{"id":9223372036854775807,"note":null,"kind":"CASH","items":[],"first":null,"photo":"","flags":[],'
            '"ratio":"NaN","rate":5e-324}',
        ),
    ],
)
