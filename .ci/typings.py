"""Writes type stubs of Fabric's protos, which come without, to the folder that is named.

The stubs are made from the descriptors of the installed package, so that they always fit it;
the plugin of mypy-protobuf does the work. Pyright finds them through `stubPath`.
"""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import fabric_protos
from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor import FileDescriptor

PACKAGE = "fabric_protos"


def named(name: str) -> str:
    """A proto file's name as its Python module lies: the package is not in Fabric's own names."""
    return name if name.startswith("google/") else f"{PACKAGE}/{name}"


def collect(file: FileDescriptor, found: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    """Add `file` behind everything that it imports, as the plugin wants them."""
    if file.name in found:
        return
    for imported in file.dependencies:
        collect(imported, found)
    description = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(description)
    description.name = named(description.name)
    for place, imported in enumerate(description.dependency):
        description.dependency[place] = named(imported)
    found[file.name] = description


def main(folder: Path) -> None:
    """Write a stub beside each generated module's place, messages and services."""
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for module in pkgutil.walk_packages(fabric_protos.__path__, f"{PACKAGE}."):
        if module.name.endswith("_pb2"):
            collect(importlib.import_module(module.name).DESCRIPTOR, found)
    request = plugin_pb2.CodeGeneratorRequest(proto_file=found.values())
    request.file_to_generate.extend(
        file.name for file in found.values() if file.name.startswith(PACKAGE)
    )
    for plugin in ("protoc-gen-mypy", "protoc-gen-mypy_grpc"):
        command = [str(Path(sys.executable).parent / plugin)]
        done = subprocess.run(
            command, check=False, input=request.SerializeToString(), capture_output=True
        )
        answer = plugin_pb2.CodeGeneratorResponse.FromString(done.stdout)
        if done.returncode or answer.error:
            sys.exit(f"{plugin}: {answer.error or done.stderr.decode()}")
        for file in answer.file:
            path = folder / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content, encoding="utf-8")
    for path in [*folder.rglob("*_pb2.pyi")]:
        (path.parent / "__init__.pyi").touch()
    (folder / PACKAGE / "__init__.pyi").touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
