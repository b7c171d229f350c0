#!/bin/sh
# What this container is: web, worker, beat; anything else is handed to manage.py.
set -eu
cd /opt/lagpdb

case "${1:-web}" in
    web)
        python manage.py migrate --noinput
        exec python manage.py serve --host 0.0.0.0 --port 8000
        ;;
    worker)
        # Which task is lost or doubled is decided by the ledger in the database, not by gossip between workers.
        exec celery -A lagpdb.celery worker --concurrency "${LAGPDB_WORKERS:-2}" --loglevel WARNING \
            --without-gossip --without-mingle
        ;;
    beat)
        exec celery -A lagpdb.celery beat -s /tmp/celerybeat-schedule --pidfile= --loglevel WARNING
        ;;
    *)
        exec python manage.py "$@"
        ;;
esac
