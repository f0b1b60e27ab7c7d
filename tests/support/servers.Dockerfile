# Real servers and their load generators, for the tests of containers: Debian's packages, without what nobody runs.
FROM debian:bookworm-slim AS servers
RUN printf 'path-exclude /usr/share/%s/*\n' doc man locale >/etc/dpkg/dpkg.cfg.d/small \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    nginx-light postgresql redis-server siege >/dev/null \
 && apt-get clean \
 && rm -r /var/lib/apt/lists/* /var/lib/postgresql/* \
 # The compiler for queries is larger than all the rest, and PostgreSQL does without.
 && rm -r /usr/lib/postgresql/*/lib/bitcode /usr/lib/postgresql/*/lib/llvmjit* /usr/lib/*/libLLVM* /usr/lib/*/libz3* \
 && useradd --uid 1000 --create-home servers
# Debian keeps PostgreSQL's programs out of PATH, one folder a version.
RUN ln -s /usr/lib/postgresql/*/bin /opt/postgresql
ENV PATH=/opt/postgresql:$PATH
USER 1000
