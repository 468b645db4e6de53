module example.org/panicking

go 1.26.0
