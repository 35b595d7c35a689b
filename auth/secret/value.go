package secret

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
)

const redacted = "[redacted]"

// A Value is bytes that never print. The zero Value is empty. Values are immutable and may be copied and shared between goroutines.
type Value struct {
	// fmt calls no methods on unexported fields of other structs, and for verbs that do not fit even follows pointers to
	// bytes; no printer can look into a function. The pointer to it keeps Value comparable (identity, not content: see Equal).
	get *func() []byte
}

// New returns a Value holding a copy of b.
func New(b []byte) Value {
	if len(b) == 0 {
		return Value{}
	}
	c := bytes.Clone(b)
	get := func() []byte { return bytes.Clone(c) }
	return Value{&get}
}

// FromString returns a Value holding s.
func FromString(s string) Value { return New([]byte(s)) }

// Reveal returns a copy of the bytes, nil when empty. What is done with them is the caller's responsibility.
func (v Value) Reveal() []byte {
	if v.get == nil {
		return nil
	}
	return (*v.get)()
}

// RevealString is Reveal as a string.
func (v Value) RevealString() string { return string(v.Reveal()) }

// Empty reports whether the value has no bytes.
func (v Value) Empty() bool { return v.get == nil }

// Equal reports whether both values hold the same bytes, in a time that depends on their lengths only.
func (v Value) Equal(o Value) bool { return subtle.ConstantTimeCompare(v.Reveal(), o.Reveal()) == 1 }

// String returns "[redacted]", also for an empty value.
func (v Value) String() string { return redacted }

// GoString returns "[redacted]".
func (v Value) GoString() string { return redacted }

// Format writes "[redacted]" whatever the verb and flags.
func (v Value) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText returns "[redacted]"; JSON and TOML encoders use it.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
