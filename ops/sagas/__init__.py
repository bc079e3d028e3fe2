"""`eventfold sagas`: the instances of the application's processes, and those that wait for an operator."""
