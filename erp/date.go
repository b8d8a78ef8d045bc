package erp

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Date is a calendar day, without time and zone. In JSON it is "2006-01-02".
type Date struct {
	time.Time // midnight in UTC
}

var (
	_ json.Marshaler     = Date{}
	_ json.Unmarshaler   = (*Date)(nil)
	_ pgtype.DateScanner = (*Date)(nil)
	_ pgtype.DateValuer  = Date{}
)

// NewDate returns the date of a year, month and day. Values out of range are normalised, as in
// [time.Date].
func NewDate(year int, month time.Month, day int) Date {
	return Date{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
}

// String returns the date as in JSON.
func (d Date) String() string { return d.Format(time.DateOnly) }

// MarshalJSON implements [json.Marshaler].
func (d Date) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *Date) UnmarshalJSON(content []byte) error {
	var s string
	if err := json.Unmarshal(content, &s); err != nil {
		return err
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil { // an UnmarshalTypeError, to which package json adds the field
		return &json.UnmarshalTypeError{Value: "string that is not a day like 2006-01-02", Type: reflect.TypeFor[Date]()}
	}
	d.Time = t
	return nil
}

// ScanDate implements [pgtype.DateScanner].
func (d *Date) ScanDate(v pgtype.Date) error {
	d.Time = v.Time
	return nil
}

// DateValue implements [pgtype.DateValuer].
func (d Date) DateValue() (pgtype.Date, error) { return pgtype.Date{Time: d.Time, Valid: true}, nil }
