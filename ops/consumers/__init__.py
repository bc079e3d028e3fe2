"""`eventfold consumers reset`: lets a consumer of the log begin anew, over the projector's HTTP surface."""
