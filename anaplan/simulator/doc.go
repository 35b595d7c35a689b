// Package simulator is a small Anaplan: an http.Handler that keeps workspaces, models, files and tasks, and
// answers the authentication service (/token/...) and the Integration API (/2/0/...) as anaplan-api.md has
// them. It is no mock: imports parse the bytes that were uploaded and change lists and modules, exports
// write what is there, tasks queue per model and take their time, tokens and files expire.
//
// Give a Simulator to net/http/httptest or an http.Server, or use Transport, whose connections stay in
// memory and which therefore works in a testing/synctest bubble. Everything that passes with time is worked
// out from the clock when somebody looks: there are no goroutines and no polling behind it.
//
// # Data
//
// Load reads a company from TOML. What is left out gets a sensible value, ids are made from the names, and
// keys that do not exist are errors. Package sample holds a large example; the whole format is:
//
//	customer_id = "…"                      # the tenant, 32 lower-case hex digits
//
//	[[user]]
//	email = "ada@example.com"              # also the address that a certificate must bear
//	id, first_name, last_name = "…"
//	password = "…"                         # for basic login; without it only certificates
//	tenant_admin = false
//	access = { "Sales Hub" = "user", "*" = "none" }   # none | user | admin, by model; default user
//
//	[[workspace]]
//	name = "Finance"
//	id, size_allowance = …
//
//	[[workspace.model]]
//	name = "Sales Hub"
//	id = "…"                               # 32 upper-case hex digits
//	state = "UNLOCKED"                     # LOCKED ARCHIVED PRODUCTION MAINTENANCE PRODUCTION_MAINTENANCE
//	closed = false                         # a closed model is loaded by the first call, in load_time
//	load_time = "20s"
//	time = ["Jan 26", "Feb 26"]            # the items of Time and of Versions
//	versions = ["Actual", "Forecast"]
//	current_period = "Jan 26"
//	categories = { Region = "EMEA" }
//
//	[[workspace.model.list]]
//	name = "Products"
//	parent = "Families"                    # the list that holds the parents of the items
//	property = [{ name = "Price", format = "number" }]  # number text boolean date list (list = "…")
//	items = """
//	name,code,parent,Price
//	Day Pack,P1,Bags,80
//	"""
//
//	[[workspace.model.module]]
//	name = "Sales"
//	dimensions = ["Products", "Time", "Versions"]
//	line_item = [{ name = "Units" }, { name = "Net", calculated = true }]   # format as above
//	cells = """
//	Products,Time,Versions,Units
//	Day Pack,Jan 26,Actual,12
//	"""
//
//	[[workspace.model.file]]
//	name = "sales.csv"
//	separator = ","                        # one character, as delimiter
//	delimiter = "\""                       # or no_delimiter = true
//	encoding = "UTF-8"                     # ISO-8859-1, UTF-16LE
//	header_row = 1                         # -1: none
//	first_data_row = 2
//	default = "…"                          # what everybody reads who has uploaded nothing
//	has_default = true                     # for a default that is empty
//
//	[[workspace.model.import]]
//	name = "Load Sales"
//	file = "sales.csv"                     # or source_model = "Hub" with source_list or source_module,
//	                                       # and where = { Time = ["Jan 26"] } as its saved view
//	module = "Sales"                       # or list = "…"
//	map = { Products = "SKU", Time = "Month", Versions = "?Version", Units = "Units" }
//	type = "MODULE_DATA"                   # others (USERS …) change no list or module
//	fails = "internalError"                # never runs, with this type of detail
//	duration = "2s"
//
//	[[workspace.model.export]]
//	name = "Output"
//	module = "Sales"                       # or list = "…"
//	line_items = ["Units"]
//	type, format, separator, encoding = "…"
//	duration = "1s"
//
//	[[workspace.model.action]]
//	name = "Purge"
//	type = "DELETE_BY_SELECTION"           # needs these three; other types are only remembered
//	list = "Products"
//	module = "Flags"                       # with the list as its only dimension
//	line_item = "Gone"                     # boolean
//	fails = false
//
//	[[workspace.model.process]]
//	name = "Nightly"
//	actions = ["Load Sales", "Output", "Purge"]    # names or ids, in order
//
//	[switches]                             # see Switches, in snake case
//	[[fault]]                              # see Fault
//
//	[[spell]]                              # see Spell: for some time …
//	model = "Sales Hub"                    # … of this model, else of all …
//	what  = "no_access"                    # … (loading archived locked offline page hang) this is so
//	for   = "5m"                           # 0: for ever
//	after = "1h"                           # from the beginning on …
//	method, path, nth = …                  # … or from a request on, as in a fault
//
//	[[stranger]]                           # see Stranger: somebody else, or the user from elsewhere
//	user = "ada@example.com"
//	model = "Sales Hub"
//	kind = "import"                        # export process action
//	object = "Load Sales"
//	prompts = { Version = "Actual" }
//	upload = "…"                           # what they upload before
//	after, method, path, nth = …           # when, as in a spell
//
// In map, targets are name, code, parent and properties, or dimensions and line items. The value is the
// header of a source column (of a model: Name, Code, Parent and properties; or dimensions and line items),
// "=text" for a fixed text, or "?Version" for a prompt with that entityType.
//
// A list import finds items by code, else by name. Rows without a name, with an unknown parent, a duplicate
// key or a name that another code has are rejected (E); a property that cannot be read leaves the row
// loaded without it (W). A module import rejects rows with an unknown item, period or version, and rows of
// which no cell can be read; calculated line items count as ignored. Blank rows are ignored.
//
// # What is not known
//
// Switches has one field for each fact about Anaplan that is unsure, and says which section of
// anaplan-api.md speaks of it. The zero value is what was seen live or is best documented.
//
// # Faults
//
// LoadFaults reads a script; Options.Faults, AddFaults and the data take the same. Each fault chooses
// requests and disturbs the nth match, and count-1 after it:
//
//	[[fault]]
//	method = "POST"
//	path   = '/imports/\d+/tasks$'         # a regular expression
//	nth    = 2
//	count  = 1                             # -1: all from the nth on
//	status = 502                           # instead of an effect …
//	body   = "html"                        # json | html | empty | no_rows (a list without entries)
//	retry_after = "7"
//	took_effect = true                     # … or after it, as a gateway that lost the answer
//	delay  = "30s"                         # before anything else
//	drop   = "after"                       # the connection ends before | after the effect
//	after  = "3m"                          # the effect comes so much later, the caller is gone
//	truncate = true                        # half of the answer's bytes
//	expire_token = true                    # the request's token is dead on arrival
//
// A dropped connection is a panic with http.ErrAbortHandler, as net/http wants it. Mind that net/http's
// client repeats a GET by itself when a connection that was used before ends without an answer; each such
// request counts.
//
// # Misuse
//
// Misuse tells what a caller did that a good client does not. A request that met a fault or a spell is never
// misuse, nor is what comes of a stranger's task, nor the use of a token that ExpireTokens or a fault
// killed. Counted are:
//
//   - calls and methods that do not exist, paths outside /2/0/ and /token/; GET of a model below its
//     workspace (405); ids in the wrong case; ids of objects or tasks that are not there
//   - no token, one that was never issued, has expired or was logged out; a wrong scheme
//   - a second login within 10 s while the first token is alive; a login within 10 s after a refusal
//   - a start without localeName or without JSON; an Idempotency-Key
//   - a start while a task of the same user on this model is not over (unless Switches.ParallelTasks), and
//     of an export that this user already runs; a start of what reads an upload that is not complete
//   - polling a task faster than every 5 s on average, after three polls (Switches.PollEvery)
//   - an upload into a file that a task of this user reads or will; a chunk outside the announced count or
//     without one; broken gzip; Content-Encoding; gzip for a whole file; complete without JSON or without
//     an upload; an upload into an export; reading files/{f} as if it were metadata (Accept says JSON)
//
// # Reading what happened
//
// Tasks tells of each task who started it, when and by which request, and what was read and written.
// Requests, Tasks, Misuse, UnfiredFaults, Model and Snapshot may be called at any time, also after Close.
package simulator
