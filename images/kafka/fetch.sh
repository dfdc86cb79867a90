#!/bin/bash
# Copies the jars named by pom.xml from Maven Central into libs/ and checks them against jars.sha256.
# Does nothing when libs/ already holds exactly those. `fetch.sh --lock` writes jars.sha256 anew after pom.xml was changed.
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

complete() {
  [ -d libs ] && [ "$(ls libs)" = "$(sed 's/^[0-9a-f]*  //' jars.sha256)" ] && (cd libs && sha256sum --quiet --check ../jars.sha256) >/dev/null 2>&1
}

if [ "${1:-}" != --lock ] && complete; then
  exit
fi
command -v mvn >/dev/null || {
  echo "$0: no mvn on PATH; it copies jars from Maven Central: install the package 'maven'" >&2
  exit 1
}
rm -rf libs
mvn --batch-mode --quiet -Dstyle.color=never --file pom.xml $plugin:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$PWD/libs"
if [ "${1:-}" = --lock ]; then
  (cd libs && sha256sum -- *.jar) >jars.sha256
elif ! complete; then
  echo "$0: the jars that Maven brought differ from jars.sha256:" >&2
  diff jars.sha256 <(cd libs && sha256sum -- *.jar) >&2 || true
  echo "run $0 --lock if pom.xml was changed on purpose; otherwise mistrust the mirror and delete ~/.m2/repository" >&2
  rm -rf libs
  exit 1
fi
