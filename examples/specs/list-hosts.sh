#!/bin/sh
# Prints a fleet file, as a script that asks your inventory would: YAML or JSON. Status 65 says that trying again is in vain;
# any other but 0 may be tried again. It gets PATH and HOME of the worker's environment and nothing else.
exec cat "$(dirname "$0")/fleet.yaml"
