package audit

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// Page is one page of a list. Pages neither repeat nor skip a record. A record that another process
// writes in the meantime with an earlier time may be missed.
type Page struct {
	Records []Record
	Next    Cursor // [Filter].After of the next page; "": this is the last
}

// List returns a page of records, ordered by time. An invalid filter is a [FieldError].
func (r *Reader) List(ctx context.Context, f Filter) (Page, error) {
	f, err := f.validate()
	if err != nil {
		return Page{}, err
	}
	sql, args, err := f.sql(f.Limit + 1) // one more than asked for tells whether there is a next page
	if err != nil {
		return Page{}, err
	}
	found, err := query(ctx, r.db, scanStored, sql, args...)
	if err != nil {
		return Page{}, fmt.Errorf("list audit log: %w", err)
	}
	var page Page
	if len(found) > f.Limit {
		found = found[:f.Limit]
		last := found[f.Limit-1]
		page.Next = cursorKey{at: time.UnixMicro(last.at), chain: last.chain, position: last.position}.cursor()
	}
	page.Records = make([]Record, len(found))
	for i, s := range found {
		if page.Records[i], err = s.record(); err != nil {
			return Page{}, fmt.Errorf("list audit log: details of position %d of chain %s: %w", s.position, s.chain, err)
		}
	}
	return page, nil
}

// All iterates over the records that match f, with Limit records per query. It holds no connection
// between pages. After an error it stops.
func (r *Reader) All(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			page, err := r.List(ctx, f)
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, record := range page.Records {
				if !yield(record, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			f.After = page.Next
		}
	}
}
