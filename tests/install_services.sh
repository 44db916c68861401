#!/bin/sh
# Installs the servers that integration tests start.  Does nothing where they are there already.
set -eu

SERVERS="git openssh-client openssh-server redis-server mosquitto rabbitmq-server"
# What Hadoop needs and its clients do not bring along.
HADOOP="default-jre-headless libasm-java libjersey1-core-java libjersey1-server-java libjersey1-servlet-java"
missing=""
for package in $SERVERS $HADOOP; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "Install these servers, which the tests start, with your package manager:$missing" >&2
        exit 1
    fi
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    echo "Installing test servers:$missing"
    # The packages must not start services of their own.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    $sudo apt-get update -qq
    $sudo apt-get install -qq -y --no-install-recommends $missing >/dev/null
fi

# Hadoop comes with PySpark, of which later versions have its clients only.
VERSION=2.4.8
JARS=.venv/share/hadoop
cd "$(dirname "$0")/.."
[ ! -d "$JARS" ] || exit 0

echo "Fetching Hadoop (once; 220 MB, of which 27 stay) ..."
place=.venv/share/hadoop.new
rm -rf "$place"
mkdir -p "$place/jars"
# Its set-up calls a function that later versions of pypandoc lack.
echo 'pypandoc<1.8' >"$place/constraints"
.venv/bin/python -m pip download --no-deps --no-cache-dir \
    --build-constraint "$place/constraints" --dest "$place" "pyspark==$VERSION"
set --
for jar in activation commons-cli commons-codec commons-collections commons-configuration commons-io \
    commons-lang commons-logging guava hadoop-annotations hadoop-auth hadoop-common hadoop-hdfs htrace-core \
    httpclient httpcore jackson-core-asl jackson-mapper-asl javax.servlet-api jaxb-api jetty jetty-util \
    leveldbjni-all log4j netty netty-all protobuf-java slf4j-api slf4j-log4j12 xmlenc; do
    set -- "$@" "pyspark-$VERSION/deps/jars/$jar-[0-9]*.jar"
done
tar -xzf "$place/pyspark-$VERSION.tar.gz" -C "$place/jars" --strip-components=3 --wildcards "$@"
mv "$place/jars" "$JARS"
rm -rf "$place"
