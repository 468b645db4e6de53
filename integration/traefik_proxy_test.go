package integration

var proxyScenarios = []scenario{}
