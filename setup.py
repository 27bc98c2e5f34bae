"""Build frappe_rt._rt, one extension over the C libraries it stands on.

Each library comes from pkg-config. Where a distribution has no llhttp >= 9, or no hiredis with
TLS, the C files of a PyPI sdist, pinned by hash, are compiled in instead. A wheel that needs no
system library is the same build with PKG_CONFIG pointed at a prefix of static libraries.

This is the only place that knows where libraries come from: the Makefile asks it, through the
command `native_flags`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Extension, setup
from setuptools.command.build_ext import build_ext

os.chdir(Path(__file__).resolve().parent)
FETCHED = Path("build/third_party")
ABI3 = not sysconfig.get_config_var("Py_GIL_DISABLED")

# What pkg-config must know, and the Debian package that brings it.
SYSTEM_LIBRARIES = {
    "libuv >= 1.40": "libuv1-dev",
    "libcurl >= 7.68": "libcurl4-openssl-dev",
    "libcjson": "libcjson-dev",
    "openssl >= 1.1.1": "libssl-dev",
    "zlib": "zlib1g-dev",
}


class Missing(Exception):
    """This machine has no such library, or too old a one."""


def pkg_config(ext: Extension, modules: str) -> None:
    """Add the flags of "name >= version, ..." to an extension."""
    tool = shlex.split(os.environ.get("PKG_CONFIG", "pkg-config"))
    for option, flags in ("--cflags", ext.extra_compile_args), ("--libs", ext.extra_link_args):
        try:
            found = subprocess.run([*tool, option, modules], capture_output=True, text=True)
        except FileNotFoundError:
            raise Missing("pkg-config") from None
        if found.returncode:
            raise Missing(modules)
        flags += shlex.split(found.stdout)


def compile_in(
    ext: Extension, requirement: str, sha256: str, include: str, sources: list[str]
) -> None:
    """Add C files of an sdist; pip checks the hash before it opens the archive."""
    name, version = requirement.split("==")
    folder = FETCHED / f"{name}-{version}"
    if not folder.exists():
        unpacked = FETCHED / "unpacked"
        unpacked.mkdir(parents=True, exist_ok=True)
        pin = FETCHED / f"{name}.txt"
        pin.write_text(f"{requirement} --hash=sha256:{sha256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
        subprocess.run([*pip, "--dest", FETCHED, "--requirement", pin], check=True)
        shutil.unpack_archive(f"{folder}.tar.gz", unpacked)
        # A rename, so that an interrupted unpacking is never taken for a whole one.
        (unpacked / folder.name).rename(folder)
    ext.include_dirs.append(str(folder / include))
    ext.sources += [str(folder / source) for source in sources]


def leave_curl_unlinked(ext: Extension) -> None:
    """A shared libcurl is loaded at the first request (csrc/net/curl_library.h)."""
    if "-lcurl" in ext.extra_link_args:
        ext.extra_link_args.remove("-lcurl")
        ext.extra_compile_args.append('-DRT_CURL_SONAME="libcurl.so.4"')


def add_hiredis(ext: Extension) -> None:
    """Debian 12 has 0.14, which has no TLS; Debian 13 has 1.2."""
    try:
        pkg_config(ext, "hiredis >= 1.0, hiredis_ssl >= 1.0")
    except Missing:
        parts = ("alloc", "async", "hiredis", "net", "read", "sds", "ssl")
        compile_in(
            ext,
            "hiredis==3.5.0",
            "c227592cc56b7df247abe4755c26723965be68972be2149fa441ac33d82131ba",
            "vendor/hiredis",
            [f"vendor/hiredis/{part}.c" for part in parts],
        )


def add_llhttp(ext: Extension) -> None:
    """Below 9 llhttp accepts what request smuggling is made of, so an older one does not do."""
    try:
        pkg_config(ext, "libllhttp >= 9.0")
    except Missing:
        compile_in(
            ext,
            "httptools==0.9.0",
            "d484ebb7e3a3f3597b0f645fbd1b85633674ca808c1f5ba11c2caf7c66f5c8b6",
            "vendor/llhttp/include",
            [f"vendor/llhttp/src/{part}.c" for part in ("api", "http", "llhttp")],
        )


def complete(ext: Extension, version: str) -> None:
    """Add every library, or stop with one line that names all the packages to install."""
    ext.define_macros.append(("RT_VERSION", f'"{version}"'))
    missing = {}
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing["Python.h"] = "python3-dev"
    for module, package in SYSTEM_LIBRARIES.items():
        try:
            pkg_config(ext, module)
        except Missing as what:
            missing[str(what)] = "pkg-config" if str(what) == "pkg-config" else package
    if missing:
        raise SystemExit(
            f"frappe_rt: not found: {', '.join(missing)}; "
            f"on Debian: apt-get install {' '.join(missing.values())}"
        )
    leave_curl_unlinked(ext)
    add_hiredis(ext)
    add_llhttp(ext)


class BuildExt(build_ext):
    """Finds the libraries, then compiles the C files side by side."""

    def build_extension(self, ext: Extension) -> None:
        complete(ext, self.distribution.get_version())
        super().build_extension(ext)

    def build_extensions(self) -> None:
        compile_files = self.compiler.compile

        def compile_side_by_side(sources, **options):
            with ThreadPoolExecutor(self.parallel or os.cpu_count()) as pool:
                objects = pool.map(lambda c: compile_files([c], **options), sources)
                return list(chain.from_iterable(objects))

        self.compiler.compile = compile_side_by_side
        super().build_extensions()


class NativeFlags(build_ext):
    """Writes to build/native.mk what the Makefile needs to compile the same extension."""

    description = "write compiler and linker flags for the Makefile"

    def run(self) -> None:
        [ext] = self.extensions
        ext.sources.clear()  # the Makefile finds our own; what remains is compiled in
        own_flags = list(ext.extra_compile_args), list(ext.extra_link_args)
        ext.extra_compile_args.clear()
        ext.extra_link_args.clear()
        complete(ext, self.distribution.get_version())
        # Their headers as system headers, so that -Werror is about our code.
        third_party = [f for folder in ext.include_dirs for f in ("-isystem", folder)]
        system = [re.sub("^-I", "-isystem", flag) for flag in ext.extra_compile_args]
        python = [f"-D{name}={value}" for name, value in ext.define_macros]
        python += [f for folder in self.include_dirs for f in ("-isystem", folder)]
        variables = {
            "EXT_CFLAGS": own_flags[0],
            "EXT_LDFLAGS": own_flags[1],
            "PYTHON_CPPFLAGS": python,
            "LIB_CFLAGS": third_party + system,
            "LIB_LDFLAGS": ext.extra_link_args,
            "LIB_SOURCES": ext.sources,
        }
        text = "# Written by `setup.py native_flags`.\n"
        text += "".join(f"{name} := {shlex.join(flags)}\n" for name, flags in variables.items())
        Path("build").mkdir(exist_ok=True)
        Path("build/native.mk").write_text(text)


class Requirements(Command):
    """Prints what pyproject.toml asks for, one a line, for `pip install -r`."""

    description = "print the requirements, or those of one extra"
    user_options: ClassVar = [("extra=", None, "the extra to print")]

    def initialize_options(self) -> None:
        self.extra = None

    def finalize_options(self) -> None:
        pass

    def run(self) -> None:
        wanted = self.distribution
        lines = wanted.extras_require[self.extra] if self.extra else wanted.install_requires
        print(*lines, sep="\n")


setup(
    ext_modules=[
        Extension(
            "frappe_rt._rt",
            sources=sorted(map(str, Path("csrc").glob("*/*.c"))),
            depends=sorted(map(str, Path("csrc").glob("*/*.h"))),
            define_macros=[("Py_LIMITED_API", "0x030A0000")] if ABI3 else [],
            py_limited_api=ABI3,
            extra_compile_args=[
                *("-std=gnu11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"),
                *("-iquote", "csrc"),
            ],
            # Nothing but PyInit__rt leaves the module, and nothing of another libuv, curl or
            # hiredis in this process gets in.
            extra_link_args=["-Wl,-Bsymbolic", "-Wl,--version-script=csrc/python/exports.map"],
        )
    ],
    cmdclass={"build_ext": BuildExt, "native_flags": NativeFlags, "requirements": Requirements},
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if ABI3 else {},
)
