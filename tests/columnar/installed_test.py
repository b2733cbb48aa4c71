#!/usr/bin/env python3
"""`cmake --install` gives a binary that needs neither the build folder nor the cache of the user who built it.

  installed_test.py CMAKE BUILD_FOLDER
"""

import os
import pathlib
import subprocess
import sys
import tempfile


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def main():
    cmake, build = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="tapedeck-test-") as folder:
        prefix = pathlib.Path(folder) / "usr"
        run(cmake, "--install", build, "--prefix", prefix)
        binary = prefix / "bin" / "tapedeck"
        bare = {"PATH": "/usr/bin:/bin", "HOME": folder, "XDG_CACHE_HOME": folder}
        run(binary, "--help", env=bare, cwd=folder)
        caches = str(pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"))
        for line in run("ldd", binary, env=bare).splitlines():
            path = line.partition("=>")[2].strip()
            if "not found" in line or path.startswith((build, caches)):
                sys.exit(f"the installed binary takes {line.strip()}")


if __name__ == "__main__":
    main()
