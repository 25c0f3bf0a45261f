"""Schema registry: registration and compatibility at deploy time, ids at start. A running service never registers."""

import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.error import SchemaRegistryError

from trimtab.domain.errors import TrimtabError, UnreachableError

COMPATIBILITY = "BACKWARD_TRANSITIVE"
ANSWER_SECONDS_MAX = 3

_NOT_FOUND = {40401, 40402, 40403}  # subject, version, schema
_NO_LEVEL = 40408

_USER_INFO = re.compile(r"//[^/@]*@")

P = ParamSpec("P")
R = TypeVar("R")


class IncompatibleSchemaError(TrimtabError):
    """A schema could not read what was written with an earlier version of it."""


def _asking(call: Callable[P, R]) -> Callable[P, R]:
    """Turn what the client raises when nobody answers into UnreachableError."""

    @functools.wraps(call)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except TrimtabError:
            raise
        except Exception as error:  # noqa: BLE001 - its HTTP client raises classes that it does not export
            registry = args[0]
            assert isinstance(registry, SchemaRegistry)
            raise UnreachableError("schema registry", registry.address, str(error) or type(error).__name__) from None

    return asked


class SchemaRegistry:
    """What trimtab asks of a Confluent-compatible registry. Every method raises UnreachableError if it cannot."""

    def __init__(self, url: str) -> None:
        self.address = _USER_INFO.sub("//", url)  # as it may be shown
        self._client = SchemaRegistryClient({"url": url, "timeout": ANSWER_SECONDS_MAX, "max.retries": 0})

    @_asking
    def schema(self, schema_id: int) -> str | None:
        """Return the schema of an id, or None if there is none."""
        try:
            return self._client.get_schema(schema_id).schema_str
        except SchemaRegistryError as error:
            if error.error_code in _NOT_FOUND or error.http_status_code == 404:
                return None
            raise

    @_asking
    def schema_id(self, subject: str, schema: str) -> int | None:
        """Return the id under which exactly this schema is registered for a subject, or None."""
        try:
            return self._client.lookup_schema(subject, _avro(schema)).schema_id
        except SchemaRegistryError as error:
            if error.error_code in _NOT_FOUND or error.http_status_code == 404:
                return None
            raise

    @_asking
    def register(self, subject: str, schema: str) -> int:
        """Register a schema and return its id.

        Raises:
            IncompatibleSchemaError: if the registry refuses it.

        """
        try:
            return self._client.register_schema(subject, _avro(schema))
        except SchemaRegistryError as error:
            if error.http_status_code in {409, 422}:
                raise IncompatibleSchemaError(f"{subject}: refused by the registry: {error.error_message}") from None
            raise

    @_asking
    def compatible(self, subject: str, schema: str) -> bool:
        """Tell whether a schema may follow every version of a subject, which must have one."""
        return self._client.test_compatibility_all_versions(subject, _avro(schema))

    @_asking
    def compatibility(self, subject: str) -> str | None:
        """Return the compatibility level set for a subject itself, or None."""
        try:
            config = self._client.get_config(subject)
        except SchemaRegistryError as error:
            if error.error_code in {_NO_LEVEL, *_NOT_FOUND} or error.http_status_code == 404:
                return None
            raise
        level = config.compatibility_level or config.compatibility
        return None if level is None else str(getattr(level, "value", level))

    @_asking
    def set_compatibility(self, subject: str) -> None:
        """Make a subject BACKWARD_TRANSITIVE."""
        level = ConfigCompatibilityLevel.BACKWARD_TRANSITIVE
        self._client.set_config(subject, ServerConfig(compatibility=level))

    @_asking
    def exists(self, subject: str) -> bool:
        """Tell whether a subject has any version."""
        try:
            return bool(self._client.get_versions(subject))
        except SchemaRegistryError as error:
            if error.error_code in _NOT_FOUND or error.http_status_code == 404:
                return False
            raise


def subject_of(topic: str, topic_prefix: str = "") -> str:
    """Return the subject of a topic's value schema (TopicNameStrategy)."""
    return f"{topic_prefix}{topic}-value"


def _avro(schema: str) -> Schema:
    return Schema(schema, schema_type="AVRO")
