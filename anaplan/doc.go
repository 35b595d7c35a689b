// Package anaplan speaks Anaplan's Integration API 2.0.
//
// A [Client] has one method for each call, and one file for each part of the API: the
// tenant and its models, server files, what can be run, tasks, failure dumps. It does
// not log in: it is given an http.Client that adds the authorization. [NewHTTPClient]
// composes one, in the right order, out of what repeats, limits, authorizes and logs.
//
//	network, err := anaplan.BaseTransport(anaplan.BaseOptions{})
//	hc := anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: network, Authorize: …, Limiter: anaplan.NewLimiter(0)})
//	client := anaplan.New(hc, "https://api.anaplan.com/2/0")
//
// # Lists
//
// Lists are iterators that page by the number of rows received. An error is the last
// thing that they give. Some are empty for what is not there, or not ours to see: the
// tasks of an object prove nothing by being none ([Client.Tasks]).
//
// # Errors
//
// What Anaplan refuses is an [*Error] with its status and its text, verbatim; what kind
// of refusal it is, errors.Is tells by the sentinels. Anaplan answers 404 for what is not
// there and for a model that the user may not see alike: [ErrNotFound] is both. An answer
// of 2xx that is not what it should be, often a page of something in between, is a
// [*FormatError]; one that did not come whole is [ErrBrokenOff], did not come in time
// [ErrNoAnswer], stood still [ErrStalled]. After a cancel the error is the cause that the
// context was cancelled with.
//
// # What is repeated
//
// Requests that may have happened are repeated only where that does no harm; package
// retry has the list, and a test here has an entry for each method of the client.
//
// [Client.Start] is not repeated. Each start that succeeds makes another task, nothing
// tells Anaplan that two requests are one, and a load that ran twice may count twice. So
// every error of Start says either that nothing was started ([ErrNotStarted]) or that
// this is not known ([ErrStartUnknown]); who meets the latter compares the object's tasks
// with those from before, or asks a person.
package anaplan
