package main

import (
	"bufio"
	"errors"
	"os"
	"strconv"
)

// source makes a file of so many bytes, if it is not there: lines of sales, which compress
// to about a third.
func source(size int64) (err error) {
	if info, err := os.Stat(path(size)); err == nil && info.Size() == size {
		return nil
	}
	f, err := os.Create(path(size))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	defer func() { err = errors.Join(err, w.Flush(), f.Close()) }()
	products := []string{"Jacket", "Parka", "Shell", "Vest", "Coat", "Crew", "Cardigan", "Scarf", "Boot", "Shoe", "Trainer", "Pack", "Tote", "Beanie", "Belt", "Umbrella"}
	months := []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun"}
	random := uint64(1)
	next := func(n uint64) uint64 {
		random ^= random << 13
		random ^= random >> 7
		random ^= random << 17
		return random % n
	}
	line := []byte("Product,Store,Month,Units,Revenue\n")
	for left := size; left > 0; {
		n := min(left, int64(len(line)))
		if _, err := w.Write(line[:n]); err != nil {
			return err
		}
		left -= n
		line = append(line[:0], products[next(16)]...)
		line = append(line, ",S"...)
		line = strconv.AppendUint(line, 100+next(400), 10)
		line = append(line, ',')
		line = append(line, months[next(6)]...)
		line = append(line, " 26,"...)
		line = strconv.AppendUint(line, next(2000), 10)
		line = append(line, ',')
		line = strconv.AppendUint(line, next(100_000), 10)
		line = append(line, '.')
		line = strconv.AppendUint(line, 10+next(90), 10)
		line = append(line, '\n')
	}
	return nil
}
