#!/bin/sh
# Write .env for a trial, with random secrets and the sandbox as all platforms. Then: docker compose --profile demo up
set -eu
cd "$(dirname "$0")/.."

if [ -e .env ]; then
    echo "There is a file .env already, which was kept. Move it away, or start its stack: docker compose up" >&2
    exit 1
fi

secret() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

# Print .env.example with the values of the arguments: NAME=VALUE...
filled() {
    text=$(cat .env.example)
    for assignment; do
        name=${assignment%%=*}
        text=$(printf '%s\n' "$text" | ASSIGNMENT="$assignment" awk -v name="$name" \
            'index($0, name "=") == 1 { print ENVIRON["ASSIGNMENT"]; next } { print }')
    done
    printf '%s\n' "$text"
}

postgres=$(secret)
pipeline=$(secret)
key=$(secret)
umask 077
filled \
    POSTGRES_PASSWORD="$postgres" \
    PIPELINE_DATABASE_PASSWORD="$pipeline" \
    AIRFLOW_DATABASE_PASSWORD="$(secret)" \
    REDIS_PASSWORD="$(secret)" \
    AIRFLOW_ADMIN_PASSWORD="$(secret)" \
    AIRFLOW_SERVICE_PASSWORD="$(secret)" \
    AIRFLOW_FERNET_KEY="$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')" \
    AIRFLOW_SECRET_KEY="$(secret)" \
    AIRFLOW_JWT_SECRET="$(secret)" \
    BLOGGER_DB_CONNECTION="postgresql://pipeline:$pipeline@demo-database:5432/bloggers" \
    BLOGGER_DB_ADMIN_CONNECTION="postgresql://postgres:$postgres@demo-database:5432/bloggers" \
    TIKTOK_CONNECTION="'{\"conn_type\": \"http\", \"host\": \"http://sandbox:8100/tiktok\", \"password\": \"$key\"}'" \
    INSTAGRAM_CONNECTION="'{\"conn_type\": \"http\", \"host\": \"http://sandbox:8100/instagram\", \"password\": \"$key\"}'" \
    YOUTUBE_CONNECTION="'{\"conn_type\": \"http\", \"host\": \"http://sandbox:8100/youtube/v3\", \"password\": \"$key\"}'" \
    SUPABASE_AUTH_CONNECTION="'{\"conn_type\": \"http\", \"host\": \"http://localhost/auth/v1\", \"password\": \"$(secret)\"}'" \
    BLOGGER_TRACKING_THUMBNAIL_ALLOW_PRIVATE=true \
    >.env
echo "Wrote .env. The user of http://localhost:8080 is admin, with the password AIRFLOW_ADMIN_PASSWORD in that file."
