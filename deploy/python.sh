# Sets $python to a Python that is recent enough, or ends the script that reads this file.
python=
for candidate in ${HEADFRAME_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "python3 3.11 or later is needed (Debian 12: apt install python3 python3-venv)" >&2
    exit 2
fi
