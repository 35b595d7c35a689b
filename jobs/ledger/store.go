package ledger

// StoreError says what is wrong with what a ledger lies in, a file or a database, for
// people.
type StoreError struct {
	Doing string // ToOpen or another of those
	Where string // of the ledger; empty if its name or address is not understood
	Why   string
	Next  string // what to do
	Away  bool   // a server that is not there now: later it may be
	Err   error  // the cause, for errors.Is; may be nil
}

func (e *StoreError) Error() string {
	if e.Next == "" {
		return e.What()
	}
	return e.What() + "; " + e.Next
}

// What is the message without what to do.
func (e *StoreError) What() string {
	if e.Where == "" {
		return e.Doing + " the ledger: " + e.Why
	}
	return e.Doing + " the ledger " + e.Where + ": " + e.Why
}

func (e *StoreError) Unwrap() error { return e.Err }

// What is being done to a ledger when a StoreError comes of it.
const (
	ToOpen  = "open"
	ToUse   = "use"
	ToWrite = "write to"
	ToRead  = "read"
	ToTake  = "take a lease in"
	ToSee   = "look at a lease in"
)
