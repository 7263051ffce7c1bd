module denosq/bench/peers/client

go 1.21
