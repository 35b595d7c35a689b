package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// joining reads several files of one layout as one, in UTF-8: what stands above the data
// is taken from the first. Each must end whole, and have the same header.
type joining struct {
	ctx     context.Context
	file    *File
	next    int // the part that is opened next
	part    *part
	src     io.ReadCloser
	text    *bufio.Reader
	scan    scanner // follows the text delimiters
	row     int     // rows above the data that were read
	above   []byte  // a row of them
	header  []string
	ready   []byte // to be given out; valid until text is read again
	ended   bool   // the last byte that was given out ends a row
	lineEnd string // of the first row
	err     error  // once it has ended, it stays so
}

// maxAbove bounds a row above the data that is compared or left out.
const maxAbove = maxHeader

func (j *joining) Read(p []byte) (int, error) {
	for len(j.ready) == 0 {
		switch {
		case j.err != nil:
			return 0, j.err
		case j.text == nil:
			j.err = j.open()
		default:
			j.err = j.fill()
		}
	}
	n := copy(p, j.ready)
	j.ready = j.ready[n:]
	return n, nil
}

// open goes on to the next file.
func (j *joining) open() error {
	if j.next == len(j.file.parts) {
		return io.EOF
	}
	j.part = j.file.parts[j.next]
	j.next++
	r, err := j.part.utf8(j.ctx, j.file.wants)
	if err != nil {
		return err
	}
	if j.src, j.text, j.row = r, bufio.NewReaderSize(r, 1<<16), 1; j.next > 1 && !j.ended {
		j.ready, j.ended = []byte(or(j.lineEnd, "\n")), true
	}
	j.scan = scanner{format: j.file.format, begun: j.file.format.linesOfCR}
	j.scan.begin()
	j.above = j.above[:0]
	return nil
}

// fill makes the next bytes ready.
func (j *joining) fill() error {
	line, err := j.text.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
		j.give(line)
		return err
	}
	if len(line) > 0 {
		if j.row < j.scan.first {
			if len(j.above)+len(line) > maxAbove {
				return j.part.refuse(fmt.Sprintf("row %d, above the data, is longer than %d MB", j.row, maxAbove>>20), "write a header of one short row", nil)
			}
			j.above = append(j.above, line...)
			if j.next == 1 {
				j.give(line)
			}
		} else {
			j.give(line)
		}
		if j.scan.take(line); err == nil && j.scan.state != fieldInside {
			if err := j.endRow(); err != nil {
				return err
			}
			if err := j.scan.end(); err != nil {
				return j.part.named(err)
			}
			j.scan.row, j.scan.blank, j.scan.state = j.scan.row+1, true, fieldStart
		}
	}
	if errors.Is(err, io.EOF) {
		return j.endFile()
	}
	return nil
}

func (j *joining) give(line []byte) {
	if len(line) == 0 {
		return
	}
	if j.ready = line; j.lineEnd == "" && line[len(line)-1] == '\n' {
		if j.lineEnd = "\n"; bytes.HasSuffix(line, []byte("\r\n")) {
			j.lineEnd = "\r\n"
		}
	}
	j.ended = line[len(line)-1] == '\n'
}

// endRow compares the header.
func (j *joining) endRow() error {
	f := j.file.format
	if j.row == f.HeaderRow {
		if err := f.linesOfCR(sample{records: [][]byte{j.above}}); err != nil {
			return j.part.named(err) // the difference would show rows
		}
		header := fields(string(bytes.TrimRight(j.above, "\r\n")), f.Separator, f.Delimiter)
		if j.next == 1 {
			j.header = header
		} else if !slices.Equal(header, j.header) {
			first := j.file.parts[0].name
			return j.part.refuse(fmt.Sprintf("its header is not that of %s, with which it is to be joined: %s", first, difference(header, j.header, "that")),
				"give files of one layout", nil)
		}
	}
	j.row, j.above = j.row+1, j.above[:0]
	return nil
}

func (j *joining) endFile() error {
	if j.scan.open() {
		return j.part.refuse(j.scan.unclosed())
	}
	if err := errors.Join(j.scan.end(), j.scan.look()); err != nil {
		return j.part.named(err)
	}
	if len(j.above) > 0 { // the header is all there is, without a line end
		if err := j.endRow(); err != nil {
			return err
		}
	}
	if h := j.file.format.HeaderRow; h > 0 && j.row <= h {
		return j.part.refuse("it has no header, with which it is to be joined", "give files of one layout", nil)
	}
	err := j.src.Close()
	j.src, j.text = nil, nil
	return err
}

// Close closes the file that is open.
func (j *joining) Close() error {
	if j.src == nil {
		return nil
	}
	return j.src.Close()
}
