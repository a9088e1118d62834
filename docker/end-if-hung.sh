#!/bin/sh
# Health check of a container: end-if-hung.sh MINUTES COMMAND...
#
# Runs the command, and ends the container if the command has failed for so many minutes. Compose restarts a container
# that ends, but leaves one alone that hangs and is unhealthy.
set -u

minutes=$1
shift
# A restarted container keeps its files: the name has the time at which the first process started (proc(5), field 22).
failing=/tmp/health-check-fails-$(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)
if timeout 25 "$@" 2>&1; then
    rm -f "$failing"
    exit 0
fi
[ -e "$failing" ] || : >"$failing"
if [ -n "$(find "$failing" -mmin "+$minutes")" ]; then
    rm -f "$failing"
    # All processes but the first and this one. The first ends when its child has ended.
    kill -s KILL -- -1
fi
exit 1
