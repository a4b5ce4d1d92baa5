"""The Ansible playbook that runs a command of the appliance on a host, and writes its results to a file here."""

from __future__ import annotations

from typing import Any, Final

#: Where site.yml installs the command; the inventory variable `appliance_command` overrides it.
_COMMAND: Final = "/usr/local/bin/appliance"

# Runs on the host with the command and its arguments as $@. The folder is removed in any case. The last
# line is never empty, since Ansible strips empty lines from the end of the output.
SCRIPT: Final = """\
command -v "$1" >/dev/null || { echo "absent $1"; exit; }
folder=$(mktemp -d) || exit
trap 'rm -rf "$folder"' EXIT
base64 -d >"$folder/in"
"$@" <"$folder/in" >"$folder/out" 2>"$folder/err"
echo "ended $?"
base64 -w 0 "$folder/out"; echo
base64 -w 0 "$folder/err"; echo
echo complete
"""

#: Variables that make a task run on this machine, whatever the inventory says about the host.
_LOCAL: Final = {
    "ansible_connection": "local",
    "ansible_become": False,
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
}
_TOLERANT: Final = {"ignore_errors": True, "ignore_unreachable": True}

# The first task only connects. It tells a host that cannot be reached, on which nothing has started, from a connection
# that broke later. It also sends nothing, so ssh's own error is not hidden by a broken pipe.
TASKS: Final[list[dict[str, Any]]] = [
    {
        "ansible.builtin.raw": "true",
        "become": False,
        "register": "appliance_probe",
        # A host may refuse terminals.
        "vars": {"ansible_ssh_use_tty": False, "ansible_become": False},
        **_TOLERANT,
    },
    {
        "ansible.builtin.command": {
            # Neither list is templated again, so braces among the arguments stay as they are.
            "argv": "{{ ['/bin/sh', '-c', appliance_remote_script, 'appliance', appliance_command | "
            f"default('{_COMMAND}')] + (appliance_remote_words | b64decode | from_json) }}}}",
            "stdin": "{{ appliance_remote_input }}",
            "expand_argument_vars": False,
        },
        # For the audit: who gives the command here.
        "environment": {"APPLIANCE_USER": "{{ appliance_remote_user | b64decode }}"},
        "when": "not (appliance_probe.unreachable | default(false))",
        "register": "appliance_run",
        **_TOLERANT,
    },
    {
        "ansible.builtin.command": {
            "argv": ["/bin/sh", "-c", 'umask 077; base64 -d >"$1"', "sh", "{{ appliance_remote_result }}"],
            "stdin": "{{ {'host': inventory_hostname, 'probe': appliance_probe, 'run': appliance_run}"
            " | to_json | b64encode }}",
        },
        "delegate_to": "localhost",
        "vars": _LOCAL,
    },
]
