"""The hosts are hosts: systemd runs, and each is its own."""

testinfra_hosts = ["ansible://molecule"]


def test_file(host):
    name = host.ansible.get_variables()["inventory_hostname"]
    assert host.file("/root/file").content_string == f"{name} systemd\n"
    assert host.check_output("systemctl is-system-running") == "running"
