"""crank4py-connector for one route. Prints {"started":true} when it has started, which is before it is registered.

Deregisters on SIGTERM and when stdin ends, and ends when its last socket does, or after a while.
"""

import os
import signal
import sys
import threading

from crank4py_connector import Config, create_and_start_connector

# How long running requests may take after the connector has deregistered.
STOP_SECONDS = 10

options = dict(argument.split("=", 1) for argument in sys.argv[1:])
config = Config(
    options["target"],
    options["route"],
    options["routers"].split(","),
    component_name="interop-c4p",
)
config.set_sliding_window_size(int(options.get("window", 2)))

# Before there are threads: all of them must leave the signal to sigwait.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def until_stdin_ends():
    # Not sys.stdin: Python cannot end while a thread is inside its buffer.
    while os.read(0, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=until_stdin_ends, daemon=True).start()
connector = create_and_start_connector(config)
print('{"started":true}', flush=True)
signal.sigwait({signal.SIGTERM})
connector.shutdown()
# The library waits for nothing: its sockets have a thread each, and Python ends with the last of them.
limit = threading.Timer(STOP_SECONDS, os._exit, (0,))
limit.daemon = True
limit.start()
