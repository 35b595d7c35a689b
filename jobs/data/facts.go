package data

import (
	"math/big"
	"time"
)

// Facts are what one pass over the bytes that are sent, or were received, tells.
type Facts struct {
	Bytes    int64
	Rows     int64    // data rows: records from the first data row on that are not empty
	Header   []string // of the header row; nil without one
	Modified time.Time
	Digest   string              // XXH3 128 of the bytes, hex: to notice change, not for security
	Opaque   bool                // not text: Rows and Header are not known
	Warning  string              // what is probably not meant, without a value of the file; empty: nothing
	Odd      *Odd                // with Checks.Fields: the first row that has another number
	Sums     map[string]*big.Rat // of the columns of Checks.Sums, exact
}

// Odd is a row with another number of fields than wanted.
type Odd struct {
	Row    int64 // from 1, the header counts
	Fields int
}

// Checks says what a pass looks at besides rows, header and digest. [Guard.Checks] makes
// it. The zero value asks for nothing more.
type Checks struct {
	Fields  int      // every row is to have so many fields; 0: they are not counted
	Sums    []string // columns whose numbers are added up
	MinSize int64    // a file whose bytes are sent as they are, and are fewer, is not read
	// Header is called with the header row as soon as it is read, nil: not at all. Its
	// error ends the pass.
	Header func(header []string) error
	// Loose takes what is not the text that the format says for opaque: it is not
	// refused.
	Loose bool
}
