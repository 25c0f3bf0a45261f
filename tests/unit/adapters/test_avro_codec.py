"""Bytes to messages: right ones come back as they were, wrong ones give one reason and nothing else."""

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import all_messages, messages
from trimtab.adapters import rules
from trimtab.adapters.avro import HEADER, RECORD_BYTES_MAX, Codec, UndecodableError, plain_schema, schema_id_of
from trimtab.adapters.manifest import schema_text
from trimtab.adapters.records import amount_from_bytes, amount_to_bytes
from trimtab.domain.amounts import CONTEXT
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.drift.impact import PENDING_MAX
from trimtab.messages import Costs, Fill, Frame, Message, Signal, Tick
from trimtab.portfolio_file import ACCOUNTS_MAX, TARGETS_MAX
from trimtab.topics import TOPICS, topic_of

IDS = {topic.name: number for number, topic in enumerate(TOPICS, 101)}
CODEC = Codec(IDS)
EXAMPLES = all_messages()
FILL = next(message for _, message in EXAMPLES if isinstance(message, Fill))
SIGNAL = next(message for _, message in EXAMPLES if isinstance(message, Signal))
COSTS = next(message for _, message in EXAMPLES if isinstance(message, Costs))
FRAME = next(message for _, message in EXAMPLES if isinstance(message, Frame))


def _record_schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every record's schema inside of a schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "record":
            yield schema
        for value in schema.values():
            yield from _record_schemas(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _record_schemas(item)


DEFAULTED = [
    (topic.name, record["name"], field["name"])
    for topic in TOPICS
    for record in _record_schemas(json.loads(schema_text(topic.name)))
    for field in record["fields"]
    if "default" in field
]


@pytest.mark.parametrize(("topic", "message"), EXAMPLES)
def test_a_message_comes_back_equal_with_its_own_types(topic: str, message: Message) -> None:
    decoded = CODEC.decode(topic, CODEC.encode(message))
    assert decoded == message
    assert repr(decoded.__class__) == repr(message.__class__)
    assert schema_id_of(CODEC.encode(message)) == IDS[topic]


@pytest.mark.parametrize(("topic", "message"), EXAMPLES)
def test_a_record_cut_off_anywhere_is_truncated(topic: str, message: Message) -> None:
    whole = CODEC.encode(message)
    for length in range(1, len(whole)):
        with pytest.raises(UndecodableError, match=r"^truncated"):
            CODEC.decode(topic, whole[:length])


@given(st.sampled_from(EXAMPLES), st.data())
def test_corrupt_bytes_give_a_message_or_one_reason(example: tuple[str, Message], data: st.DataObject) -> None:
    topic, message = example
    corrupt = bytearray(CODEC.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        corrupt[data.draw(st.integers(0, len(corrupt) - 1))] = data.draw(st.integers(0, 255))
    corrupt += data.draw(st.binary(max_size=3))
    decoded = _decoded_or_reason(topic, bytes(corrupt))
    if isinstance(decoded, str):
        assert len(decoded.splitlines()) == 1
    else:
        assert CODEC.decode(topic, CODEC.encode(decoded)) == decoded


def _decoded_or_reason(topic: str, value: bytes) -> Message | str:
    try:
        return CODEC.decode(topic, value)
    except UndecodableError as error:
        return str(error)


@given(st.sampled_from([topic.name for topic in TOPICS]), st.binary(max_size=200))
def test_noise_in_a_valid_frame_gives_one_reason(topic: str, noise: bytes) -> None:
    with pytest.raises(UndecodableError):
        CODEC.decode(topic, HEADER.pack(0, IDS[topic]) + noise)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\x01" + b"\0" * 20, "bad magic byte: 1"),
        (b'{"json": true}', "bad magic byte: 123"),
        (b"\0\0\0", "truncated: 3 bytes"),
        (HEADER.pack(0, 999) + b"x", "unknown schema id: 999"),
        (b"\0" * (RECORD_BYTES_MAX + 1), "absurd: 1048577 bytes"),
    ],
)
def test_what_is_no_record_says_so(value: bytes | None, reason: str) -> None:
    with pytest.raises(UndecodableError, match=f"^{reason}"):
        CODEC.decode("execution.fills", value)


def test_bytes_after_the_end_are_named() -> None:
    with pytest.raises(UndecodableError, match=r"^trailing bytes: 2 "):
        CODEC.decode("execution.fills", CODEC.encode(FILL) + b"xy")


def test_a_value_outside_an_enum_names_field_value_and_choices() -> None:
    record = _record(FILL) | {"side": "hold"}
    with pytest.raises(UndecodableError, match=r"^side: found 'hold'; allowed: buy, sell$"):
        CODEC.decode("execution.fills", _framed("execution.fills", record))


def test_a_wrong_value_deep_inside_names_its_place() -> None:
    record = _record(SIGNAL)
    record["trades"][1]["side"] = "hold"
    with pytest.raises(UndecodableError, match=r"^trades\[1\]\.side: found 'hold'"):
        CODEC.decode("rebalance.signals", _framed("rebalance.signals", record))


def test_an_amount_of_too_many_digits_is_out_of_range() -> None:
    record = _record(FILL) | {"price": (10**38).to_bytes(17, "big", signed=True)}
    with pytest.raises(UndecodableError, match=r"^price: .* at most 38 digits"):
        CODEC.decode("execution.fills", _framed("execution.fills", record))


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
def test_a_record_of_another_topic_is_refused(topic: str) -> None:
    other = next(message for name, message in EXAMPLES if name != topic)
    codec = Codec(IDS, lambda schema_id: schema_text(topic_of(other).name))
    with pytest.raises(UndecodableError, match=f"this topic carries trimtab.{topic_message(topic)}"):
        codec.decode(topic, codec.encode(other))


def topic_message(topic: str) -> str:
    return next(known.message.__name__ for known in TOPICS if known.name == topic)


class TestWriters:
    """Records written with another version of the schema."""

    def test_a_field_that_we_do_not_know_is_skipped(self) -> None:
        schema = _fill_schema()
        schema["fields"].insert(3, {"name": "colour", "type": "string"})
        value = _framed_with(schema, 7, _record(FILL) | {"colour": "red"})
        assert Codec(IDS, lambda _: json.dumps(schema)).decode("execution.fills", value) == FILL

    def test_reordered_fields_find_their_place(self) -> None:
        schema = _fill_schema()
        schema["fields"].reverse()
        value = _framed_with(schema, 7, _record(FILL))
        assert Codec(IDS, lambda _: json.dumps(schema)).decode("execution.fills", value) == FILL

    def test_a_signal_of_before_deferrals_defers_nothing(self) -> None:
        schema = json.loads(schema_text("rebalance.signals"))
        schema["fields"] = [field for field in schema["fields"] if field["name"] != "deferred"]
        record = _record(SIGNAL)
        del record["deferred"]
        found = Codec(IDS, lambda _: json.dumps(schema)).decode("rebalance.signals", _framed_with(schema, 7, record))
        assert found == dataclasses.replace(SIGNAL, deferred=())
        assert SIGNAL.deferred

    @pytest.mark.parametrize(("topic", "record", "field"), DEFAULTED)
    def test_a_field_that_was_added_later_has_the_default_of_its_dataclass(
        self, topic: str, record: str, field: str
    ) -> None:
        schema = json.loads(schema_text(topic))
        for each in _record_schemas(schema):
            if each["name"] == record:
                each["fields"] = [kept for kept in each["fields"] if kept["name"] != field]
        codec = Codec(IDS, lambda _: json.dumps(schema))
        for message in messages(topic):
            found = codec.decode(topic, _framed_with(schema, 7, _record(message)))
            assert found == _with_default(message, record, field)

    def test_a_field_that_we_need_and_it_lacks_is_malformed(self) -> None:
        schema = _fill_schema()
        schema["fields"] = [field for field in schema["fields"] if field["name"] != "fee"]
        value = _framed_with(schema, 7, _record(FILL))
        with pytest.raises(UndecodableError, match=r"^malformed: .*fee"):
            Codec(IDS, lambda _: json.dumps(schema)).decode("execution.fills", value)

    @pytest.mark.parametrize(
        ("kind", "named"),
        [
            ({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 8}, r"decimal\(38,8\)"),
            ({"type": "bytes"}, "bytes"),
            ({"type": "long", "logicalType": "timestamp-millis"}, "timestamp-millis"),
        ],
    )
    def test_another_scale_is_refused_rather_than_misread(self, kind: dict[str, Any], named: str) -> None:
        schema = _fill_schema()
        schema["fields"][10]["type"] = kind
        with pytest.raises(UndecodableError, match=f"^writer's schema has {named}; allowed"):
            Codec(IDS, lambda _: json.dumps(schema)).decode("execution.fills", HEADER.pack(0, 7) + b"x")

    def test_a_schema_is_looked_up_once(self) -> None:
        asked: list[int] = []

        def lookup(schema_id: int) -> str | None:
            asked.append(schema_id)
            return schema_text("execution.fills") if schema_id == 7 else None

        codec = Codec(IDS, lookup)
        for _ in range(3):
            assert codec.decode("execution.fills", _framed("execution.fills", _record(FILL), 7)) == FILL
            with pytest.raises(UndecodableError, match="unknown schema id"):
                codec.decode("execution.fills", HEADER.pack(0, 8) + b"x")
        assert asked == [7, 8]

    def test_a_registry_that_does_not_answer_condemns_no_record(self) -> None:
        answers: list[Callable[[], str]] = [_unreachable, lambda: schema_text("execution.fills")]
        codec = Codec(IDS, lambda _: answers.pop(0)())
        value = _framed("execution.fills", _record(FILL), 7)
        with pytest.raises(UnreachableError):
            codec.decode("execution.fills", value)
        assert codec.decode("execution.fills", value) == FILL

    def test_what_is_registered_and_no_avro_is_refused(self) -> None:
        with pytest.raises(UndecodableError, match="is not Avro"):
            Codec(IDS, lambda _: "{").decode("execution.fills", HEADER.pack(0, 7) + b"x")


def _unreachable() -> str:
    raise UnreachableError("schema registry", "http://127.0.0.1:1", "refused")


class TestEncoding:
    """What must not leave the house does not."""

    @pytest.mark.parametrize(
        ("price", "allowed"),
        [
            ("NaN", "more than 0"),
            ("Infinity", "a finite number"),
            ("1e-19", "at most 18 decimals"),
            ("1e20", "fewer than 21 digits before the point"),
            ("-1", "more than 0"),
        ],
    )
    def test_an_amount_that_cannot_stand_names_topic_and_field(self, price: str, allowed: str) -> None:
        with pytest.raises(InvalidValueError, match=rf"^execution\.fills: price: found .*; allowed: {allowed}$"):
            CODEC.encode(dataclasses.replace(FILL, price=Decimal(price)))

    def test_an_integer_beyond_64_bits_is_refused(self) -> None:
        tick = next(message for _, message in EXAMPLES if isinstance(message, Tick))
        with pytest.raises(InvalidValueError, match=r"^market\.ticks: "):
            CODEC.encode(dataclasses.replace(tick, price=2**63))

    def test_a_mistake_inside_an_array_names_its_place(self) -> None:
        trades = (SIGNAL.trades[0], dataclasses.replace(SIGNAL.trades[1], quantity=Decimal(0)))
        with pytest.raises(InvalidValueError, match=r"^rebalance\.signals: trades\[1\]\.quantity: found "):
            CODEC.encode(dataclasses.replace(SIGNAL, trades=trades))

    def test_rules_over_several_fields_hold_too(self) -> None:
        with pytest.raises(InvalidValueError, match=r"^market\.frames: rules: found "):
            CODEC.encode(dataclasses.replace(FRAME, full=False))


@given(
    st.integers(-(10**38) + 1, 10**38 - 1).map(lambda unscaled: Decimal(unscaled).scaleb(-18, CONTEXT)),
)
def test_every_amount_of_38_digits_comes_back(amount: Decimal) -> None:
    value = amount_to_bytes(amount)
    assert amount_from_bytes(value) == amount
    assert amount_to_bytes(amount_from_bytes(value)) == value


def _with_default(value: Any, record: str, field: str) -> Any:
    """Return a message with the default for a field of all records of this name in it."""
    if isinstance(value, tuple):
        return tuple(_with_default(item, record, field) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    found = {each.name: _with_default(getattr(value, each.name), record, field) for each in dataclasses.fields(value)}
    if type(value).__name__ == record:
        found[field] = type(value).__dataclass_fields__[field].default
    return type(value)(**found)


ABSURD: list[tuple[str, str, object]] = [
    ("drift.journal", "worker", ""),
    ("drift.journal", "number", -1),
    ("drift.journal", "settled_offset", 1024),
    ("market.ticks", "price", -1),
    ("market.ticks", "tick", "nought"),
    ("market.ticks", "step", "0"),
    ("market.ticks", "event_time_us", 0),
    ("market.ticks", "received_us", 4_102_444_800_000_000),
    ("market.ticks", "venue", ""),
    ("market.books", "bids", (100, 1, 99)),
    ("market.books", "bids", (99, 1, 100, 1)),
    ("market.books", "asks", (100, 1, 99, 1)),
    ("market.books", "asks", (100, 0)),
    ("market.books", "asks", (100, 1, 100, 2)),
    ("market.frames", "sequence", -1),
    ("market.risk", "assets", ("ETH", "BTC")),
    ("market.risk", "covariance", ()),
    ("market.risk", "covariance", (Decimal("-0.1"), Decimal(0), Decimal("0.36"))),
    ("market.risk", "covariance", (Decimal("0.1"), Decimal(0), Decimal(10**10))),
    ("market.risk", "long_run_variance", (Decimal(1),)),
    ("market.risk", "recent_returns", (Decimal("0.1"),)),
    ("market.risk", "recent_returns", (Decimal("0.1"), Decimal(-101))),
    ("market.costs", "sequence", -1),
    ("market.costs", "fills_offsets", (0, -1)),
    ("market.costs", "signals_offsets", (0, -1)),
    ("market.costs", "impact_coefficient", Decimal(1_001)),
    ("market.costs", "impact_prior", Decimal(-1)),
    ("market.costs", "impact_squares", Decimal(-1)),
    ("market.costs", "impact_taken", Decimal(10**13)),
    ("market.costs", "impact_products", Decimal(-(10**13))),
    ("portfolio.targets", "assets", ("USDT", "BTC", "ETH")),
    ("portfolio.targets", "weights", (Decimal("0.5"), Decimal("0.4"), Decimal("0.05"))),
    ("portfolio.targets", "weights", (Decimal("0.5"), Decimal("0.5"))),
    ("portfolio.targets", "computed", (Decimal("1.1"), Decimal(0), Decimal("-0.1"))),
    ("portfolio.targets", "previous_offset", -2),
    ("portfolio.targets", "due_us", 0),
    ("portfolio.state", "portfolio_id", ""),
    ("portfolio.state", "ledger_version", -1),
    ("portfolio.state", "not_before_us", 1),
    ("portfolio.state", "recent_signals_us", (5,)),
    ("rebalance.signals", "deadline_us", 946_684_800_000_000),
    ("rebalance.signals", "deadline_us", SIGNAL.event_time_us + 86_400_000_001),
    ("rebalance.signals", "equity", Decimal(-1)),
    ("rebalance.signals", "frame_offset", -2),
    ("rebalance.signals", "targets_offset", -2),
    ("rebalance.signals", "costs_offset", -2),
    ("execution.orders", "quantity", Decimal(0)),
    ("execution.orders", "filled", Decimal(10**6)),
    ("execution.parents", "filled", Decimal(-1)),
    ("execution.fills", "price", Decimal(0)),
    ("execution.fills", "leaves_quantity", Decimal("-0.1")),
    ("reconciliation.breaks", "kind", ""),
]


@pytest.mark.parametrize(("topic", "field", "value"), ABSURD)
def test_an_absurd_record_names_the_field(topic: str, field: str, value: Any) -> None:
    wire = amount_to_bytes(value) if isinstance(value, Decimal) else value
    if isinstance(value, tuple) and value and isinstance(value[0], Decimal):
        wire = [amount_to_bytes(item) for item in value]
    record = _record(messages(topic)[0]) | {field: wire}
    with pytest.raises(UndecodableError, match=f"^{field}: found .*; allowed: "):
        CODEC.decode(topic, _framed(topic, record))


def test_a_signal_of_more_trades_than_any_portfolio_file_causes_is_absurd_and_said_in_one_line() -> None:
    assert rules.TRADES_MAX >= TARGETS_MAX * (ACCOUNTS_MAX + 1)
    record = _record(SIGNAL)
    trade = record["trades"][0]
    found = CODEC.decode("rebalance.signals", _framed("rebalance.signals", record | {"trades": [trade] * 2_000}))
    assert isinstance(found, Signal)
    assert len(found.trades) == rules.TRADES_MAX
    with pytest.raises(UndecodableError, match=r"^trades: found .*; allowed: at most 2000 trades$") as refused:
        CODEC.decode("rebalance.signals", _framed("rebalance.signals", record | {"trades": [trade] * 2_001}))
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trade_id", ""),
        ("deadline_us", COSTS.pending[0].event_time_us),
        ("deadline_us", COSTS.pending[0].event_time_us + 86_400_000_001),
        ("quantity", Decimal(0)),
        ("decision_price", Decimal(0)),
        ("volatility", Decimal(0)),
        ("depth", Decimal(0)),
        ("depth", Decimal(1)),
        ("depth_slippage", Decimal("-1.1")),
        ("worst_slippage", Decimal(2)),
        ("taken", Decimal("0.9")),
        ("made", Decimal(-1)),
        ("slippage", Decimal(2)),
        ("ledger_sequence", -2),
    ],
)
def test_a_pending_trade_that_cannot_be_is_absurd(field: str, value: Any) -> None:
    record = _record(COSTS)
    record["pending"][0][field] = amount_to_bytes(value) if isinstance(value, Decimal) else value
    with pytest.raises(UndecodableError, match=rf"^pending\[0\]\.{field}: found .*; allowed: "):
        CODEC.decode("market.costs", _framed("market.costs", record))


def test_too_many_pending_trades_are_absurd() -> None:
    assert rules.PENDING_MAX > PENDING_MAX
    record = _record(COSTS)
    record["pending"] *= rules.PENDING_MAX + 1
    with pytest.raises(UndecodableError, match=r"^pending: found .*; allowed: at most 1000 trades$"):
        CODEC.decode("market.costs", _framed("market.costs", record))


def test_every_topic_has_an_absurd_record_and_every_rule_a_field() -> None:
    assert {topic for topic, _, _ in ABSURD} == set(IDS)
    for table in (rules.FIELDS, rules.ACROSS):
        for message, fields in table.items():
            assert set(fields) <= {field.name for field in dataclasses.fields(message)}, message


def test_every_time_and_every_id_has_a_rule() -> None:
    for message in rules.FIELDS:
        for field in dataclasses.fields(message):
            if field.name.endswith("_us"):
                assert field.name in rules.FIELDS[message] or field.name in rules.ACROSS[message], field.name


def _record(message: Message) -> dict[str, Any]:
    topic = topic_of(message).name
    return CODEC._channels[topic].to_record(message)


def _framed(topic: str, record: dict[str, Any], schema_id: int | None = None) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, CODEC._channels[topic].schema, record)
    return HEADER.pack(0, schema_id or IDS[topic]) + buffer.getvalue()


def _fill_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text("execution.fills"))
    return schema


def _framed_with(schema: dict[str, Any], schema_id: int, record: dict[str, Any]) -> bytes:
    """Write a record with another schema; amounts are bytes already, so logical types must not convert them."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, plain_schema(schema), record)
    return HEADER.pack(0, schema_id) + buffer.getvalue()
