"""The program behind `./inv`: the commands of the appliance and those of a checkout."""

from appliance import tasks
from devtools import command_table

command_table.register()
tasks.main()
