#!/bin/sh
# make.sh FILE [ROLE]: makes the role, appliance by default, and the database; the role's password is what FILE holds. Prints
# "made" when anything changed.
set -eu
file=$1 role=${2:-appliance}

ask() { runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }

if [ -z "$(ask --command="SELECT 1 FROM pg_roles WHERE rolname = '$role'")" ]; then
    ask --command="CREATE ROLE $role LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
    echo made role
fi

if [ -z "$(ask --command="SELECT 1 FROM pg_database WHERE datname = 'appliance'")" ]; then
    ask --command="CREATE DATABASE appliance OWNER appliance TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
    echo made database
fi

if [ -n "$(ask --command="SELECT 1 FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE d.datname = 'appliance' AND a.grantee = 0")" ]; then
    ask --command="REVOKE ALL ON DATABASE appliance FROM PUBLIC"
    echo made private
fi

# Whether the password is the one of the file, PostgreSQL knows by what it keeps of it (RFC 5803); no login is needed.
kept=$(ask --command="SELECT coalesce(rolpassword, '') FROM pg_authid WHERE rolname = '$role'")
if ! KEPT=$kept python3 - "$file" <<'PYTHON'
import base64, hashlib, hmac, os, re, sys
password = open(sys.argv[1], "rb").read()
found = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)", os.environ["KEPT"])
if not found:
    sys.exit(1)
salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(found[2]), int(found[1]))
key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
sys.exit(key != base64.b64decode(found[3]))
PYTHON
then
    # By standard input: command lines are seen by everybody on the host.
    printf "SET log_statement = 'none'; SET password_encryption = 'scram-sha-256'; ALTER ROLE %s PASSWORD '%s';" \
        "$role" "$(cat "$file")" | ask
    echo made password
fi
