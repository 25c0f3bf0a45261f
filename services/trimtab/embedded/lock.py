"""Makes the lock file: resolves Kafka's and the registry's artifacts once, with a Maven resolver in pure Python."""

import tempfile
from pathlib import Path

from jgo.maven import Dependency, MavenContext, PythonResolver

from trimtab.embedded.artifact import LOCK_NAME, Artifact, sha256_of
from trimtab.embedded.repositories import repositories

KAFKA = ("org.apache.kafka", "kafka_2.13", "4.3.1", "", "jar")
# Kafka brings slf4j 1.7; without a binding of that generation the broker logs nothing.
LOGGING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4", "", "jar")
REGISTRY = ("io.apicurio", "apicurio-registry-app", "3.3.3", "all", "tar.gz")
HEADER = """\
# Coordinates, sizes in bytes and sha256 of what the embedded stack downloads.
# Made by: python -m trimtab.embedded lock
"""


def resolve() -> list[Artifact]:
    """Kafka with its run-time dependencies and the registry's distribution, downloaded to be hashed."""
    with tempfile.TemporaryDirectory() as folder:
        resolver = PythonResolver()
        remotes = {f"r{i}": url for i, url in enumerate(repositories())}
        context = MavenContext(resolver=resolver, repo_cache=Path(folder), remote_repos=remotes)
        # `raw` keeps the logging artifact's dependency management away from Kafka's own versions.
        inputs, transitive = resolver.resolve([_ask(context, KAFKA), _ask(context, LOGGING, raw=True)])
        found = [_hashed("kafka", dependency) for dependency in [*inputs, *transitive]]
        return [*found, _hashed("registry", _ask(context, REGISTRY))]


def _ask(context: MavenContext, coordinates: tuple[str, str, str, str, str], *, raw: bool = False) -> Dependency:
    group, name, version, classifier, extension = coordinates
    component = context.project(group, name).at_version(version)
    return Dependency(component.artifact(classifier, extension), raw=raw)


def _hashed(part: str, dependency: Dependency) -> Artifact:
    file = dependency.artifact.resolve()
    return Artifact(
        part=part,
        group=dependency.groupId,
        name=dependency.artifactId,
        extension=dependency.type,
        classifier=dependency.classifier or "",
        version=dependency.version,
        size=file.stat().st_size,
        sha256=sha256_of(file),
    )


def write_lock() -> Path:
    """Resolve anew and replace the package's lock file; returns its path."""
    path = Path(__file__).with_name(LOCK_NAME)
    path.write_text(HEADER + "".join(f"{artifact.line()}\n" for artifact in resolve()), encoding="utf-8")
    return path
