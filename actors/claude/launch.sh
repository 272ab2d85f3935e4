#!/bin/sh
# Starts the Claude program so that it dies with the desk, even on SIGKILL, and inherits nothing it should not.
# TROUPE_PROGRAM is what to start, TROUPE_PID a file for its process id, TROUPE_DROP the names to forget.
program=$TROUPE_PROGRAM
echo $$ >"$TROUPE_PID"
for name in $TROUPE_DROP; do
    command unset "$name" 2>/dev/null || : # a shell's own, such as UID where it is bash
done
unset TROUPE_PROGRAM TROUPE_PID TROUPE_DROP
if command -v setsid >/dev/null && command -v setpriv >/dev/null; then
    exec setsid setpriv --pdeathsig KILL -- "$program" "$@"
fi
exec "$program" "$@"
