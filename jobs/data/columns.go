package data

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"
)

// maxNumber bounds the text of a number.
const maxNumber = 128

// columns tells the fields of records apart: it counts them, and adds up columns.
type columns struct {
	wanted int      // fields of every record from the header on; 0: they are not counted
	odd    *Odd     // the first record that has another number
	sums   []string // columns to add up
	totals []total  // of sums
	of     []int    // by column: its index in sums, or -1; shorter than a record as a rule
	n      int      // fields of the record that have ended
	field  []byte   // the field that is read, if it is added up; longer than maxNumber: no number
	bad    *GuardError
}

// take follows a part of a record through its fields. It does what scanner.fields does,
// and tells where each ends.
func (c *columns) take(s *scanner, part []byte) {
	separator, quote := []byte(s.format.Separator), -1
	if len(s.format.Delimiter) == 1 {
		quote = int(s.format.Delimiter[0])
	}
	for len(part) > 0 {
		switch s.state {
		case fieldStart:
			if int(part[0]) == quote {
				s.state, s.openRow = fieldInside, s.row
				part = part[1:]
				continue
			}
			s.state = fieldPlain
		case fieldPlain:
			i := -1
			if len(separator) == 1 {
				i = bytes.IndexByte(part, separator[0])
			} else if len(separator) > 1 {
				i = bytes.Index(part, separator)
			}
			if i < 0 {
				c.keep(part)
				return
			}
			c.keep(part[:i])
			c.next(s)
			s.state = fieldStart
			part = part[i+len(separator):]
		case fieldInside:
			i := bytes.IndexByte(part, byte(quote))
			if i < 0 {
				c.keep(part)
				return
			}
			c.keep(part[:i])
			part = part[i+1:]
			s.state = fieldClosed
		case fieldClosed:
			if int(part[0]) == quote { // doubled: it is text
				c.keep(part[:1])
				part = part[1:]
				s.state = fieldInside
				continue
			}
			s.state = fieldPlain
		}
	}
}

// keep keeps text of a field that is added up.
func (c *columns) keep(text []byte) {
	if c.n < len(c.of) && c.of[c.n] >= 0 {
		c.field = append(c.field, text[:min(len(text), maxNumber+1-len(c.field))]...)
	}
}

// next ends a field.
func (c *columns) next(s *scanner) {
	if c.n < len(c.of) && c.of[c.n] >= 0 {
		i := c.of[c.n]
		if s.row >= s.first && c.bad == nil && !c.totals[i].add(bytes.TrimSpace(c.field)) {
			c.bad = &GuardError{"control", fmt.Sprintf("row %d: column %q holds no plain number (digits, with a point before decimals), so its sum is not known", s.row, c.sums[i]),
				"write plain numbers, or take the column out of the guard's sums"}
		}
		c.field = c.field[:0]
	}
	c.n++
}

// end ends a record.
func (c *columns) end(s *scanner) error {
	if s.blank {
		c.n, c.field = 0, c.field[:0]
		return nil
	}
	c.next(s)
	n := c.n
	c.n = 0
	if c.bad != nil {
		return c.bad
	}
	if c.wanted > 0 && n != c.wanted && c.odd == nil && s.row >= min(s.first, max(1, s.format.HeaderRow)) {
		c.odd = &Odd{int64(s.row), n}
	}
	if s.row != s.format.HeaderRow {
		return nil
	}
	seen := map[string]bool{} // of columns with one name the first is meant
	for i, name := range s.names() {
		j := slices.Index(c.sums, name)
		if j < 0 || seen[name] {
			continue
		}
		seen[name] = true
		for len(c.of) <= i {
			c.of = append(c.of, -1)
		}
		c.of[i] = j
	}
	return nil
}

// found gives the sums of the columns that are there.
func (c *columns) found() map[string]*big.Rat {
	if len(c.of) == 0 {
		return nil
	}
	all := map[string]*big.Rat{}
	for _, j := range c.of {
		if j >= 0 {
			all[c.sums[j]] = c.totals[j].sum()
		}
	}
	return all
}
