// Package expr is the small language in which a rollout says who gets what: conditions on a request and the keys that
// identify a client. It is Go expression syntax, read by go/parser, checked as a whole, and compiled once to a flat
// program that one loop runs.
//
//	header("X-Version") == "v2" && !cookie("opt_out").exists()
//	ip().in("10.0.0.0/8", "2001:db8::/32") || query("beta") == "1"
//	header("X-Build") >= 1200 && path().hasPrefix("/api/")
//
// # Values
//
//	header("X-Version")  the first field of that name; names are case-insensitive; "Host" is the request's host
//	cookie("uid")        the first cookie of that name, as sent, without surrounding quotes
//	query("v")           the first query parameter of that name, decoded
//	path()               the decoded path
//	method()             the method, upper case as HTTP has it
//	host()               the host of the request, lower case, without the port
//	scheme()             "https" if the request came over TLS, else "http"
//	ip()                 the client address as the gateway resolved it, never a raw header
//	geo("country")       where that address is: country, continent, subdivision, city, asn; needs a database
//	claim("role")        a claim of the request's verified token, by its dotted path; no other token has claims
//	placeholder("name")  a placeholder of the host; where the host has none, a compile error
//	random()             a number in [0,1), new for every request
//	status()             the status of the answer, a number; a compile error where conditions are asked before there is one
//
// A value that the request does not have is the empty string; [.exists] tells it apart. Values are case-sensitive.
//
// # Operators and methods
//
// A value stands on the left of == != < <= > >=, a literal on the right. A number on the right makes the comparison
// numeric: a value that is not a number makes == false, != true and the orderings false. Conditions combine with && || !
// and parentheses; true and false are conditions.
//
//	.in("a", "b")       one of these; for ip(): addresses and CIDRs
//	.inFile("f.txt")    one of the file's lines (one a line; blank lines and lines that begin with # are skipped);
//	                    for ip(): addresses and CIDRs; a million lines cost one look-up
//	.has("beta")        any comma-separated part of any field of that header (or parameter, cookie, placeholder);
//	                    any item of a claim that is a list
//	.contains("x")  .hasPrefix("x")  .hasSuffix("x")  .matches("re2")  .exists()
//	.lower()            the value in lower case, before what follows
//
// # Programs
//
// A condition compiles to tests, each with the next instruction if it holds and if it does not. A [Table] strings the
// conditions of all rules together: where one fails the next begins, and a run of rules that compare one value with
// literals becomes a single look-up, however many rules it has. Closures or a tree of nodes would be as fast when
// compiled by Go, but ten times slower where the package is interpreted.
//
// Everything here may be used from many goroutines at once, except an [Input], which belongs to one request.
package expr
