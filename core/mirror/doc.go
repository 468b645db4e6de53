// Package mirror sends copies of real requests to a version that no user sees, and tells how its answers differ.
//
// # What a host does
//
// A rollout has one [Runner] for as long as the gateway runs, and [Mirrors] for each of its configurations:
//
//	runner := mirror.NewRunner(log)
//	mirrors := mirror.New(rollout, settings, runner)
//	go runner.Run(ctx, mirrors) // when the configuration comes into force
//
// For each request, once it is decided who serves it, and before anything that the decision does to it:
//
//	c := mirror.Begin(mirrors, in, variant) // nil for most requests
//	mirror.Unmark(r.Header)                 // unless the peer is a gateway that is trusted
//
// and if c is not nil:
//
//	defer func() { c.End(whole) }()         // whatever happens, a panic too
//	c.Watch(response)                       // a proxy, with what it is about to pass on, if c.Compares(); or
//	c.Answered(status, header); c.Wrote(p, err)  // whoever stands between the variant and the client
//
// Begin may replace the request's body, so a host that keeps bodies for a second attempt wraps them afterwards. A sender gets
// a request of its own, of which the URL is the client's still. It tells a variant that it serves, as a decision would, and
// drops our own announcements towards anybody else, unless Drop names them.
//
// # What is copied
//
// The share is one of clients: a client is copied if the slot of his key, with the salt <salt>/mirror/<name>, lies in [0,
// share). So it is independent of the split and of other mirrors, and a share that grows keeps whom it had. Requests without
// a key are drawn.
//
// Copies have the request's headers, its id and trace included, but for those of the connection, those that the mirror drops,
// and towards a target outside the rollout Authorization and Cookie. They say X-Rollout-Mirror: <rollout>, and a request
// that says so is not copied again, whoever sent it: a client who forges it takes his own requests out of the mirror, and
// nobody else's, while a loop that is not cut takes down the gateway. What he forges is not passed on ([Unmark]), and what is
// left out is counted.
//
// A body is copied while the variant reads it, never ahead of it. One that is longer than the mirror allows, or that the
// variant does not read to its end, is not copied. Trailers are, if the client announced them. What becomes a connection of
// its own, such as a websocket, is not.
//
// # Bounds
//
// The request's handler never waits: whatever there is no room for is dropped and counted. A mirror has so many requests
// under way as its concurrency says, each for the time-out at most, and once more as long where the client's own answer is
// slower than that; and as many bodies on their way in. So it holds at most
//
//	2 x concurrency x (max_body + 1 MiB) + 2 x concurrency x 1 MiB
//
// of bodies and answers, and with no comparison of bodies no answers. Answers are read up to 1 MiB, and up to
// 256 KiB where their bodies are not compared. Comparisons are made one at a time, so what one takes, such as the values of a
// JSON document, is there once.
//
// # What differs
//
// Answers are compared with those that the baseline gave to the clients: requests that another variant serves are
// copied, and not compared. If the baseline's answers differ between themselves (times, ids, the order of lists) a control tells: a second
// copy goes to the baseline at the same time, and what differs there is noise. A field is reported, and counts for
// [Ledger.Mismatch], if the target differs in it more often than the baseline from itself and that can hardly be chance; isAbove
// describes the test. The idea of a second baseline is Twitter's Diffy's, which compares the two counts by fixed margins
// instead. What differs in every answer cannot be told from noise, whatever the target makes of it.
//
// A target that does not answer differs. A copy that was ended by the gateway, or an answer that the client did not get to
// the end, is not compared.
package mirror
