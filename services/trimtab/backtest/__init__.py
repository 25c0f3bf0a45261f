"""Engine replay: drift, executor, ledger and the exchange's engine in one process, on the clock of a tape.

The deciding, planning, working and matching parts are the services' own objects, given a virtual clock, a ledger in
memory and the matching engine through their ports. Nothing of them is written twice here.
"""
