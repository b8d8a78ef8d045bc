package schemactx

import (
	"encoding/binary"
	"errors"

	"github.com/jackc/pgx/v5/pgtype"
)

// compositeCodec refuses a value whose attributes differ from those that the type had when it was
// loaded. pgx matches attributes by position. It would omit a new attribute and decode a changed
// one with its old type.
type compositeCodec struct{ pgtype.CompositeCodec }

// errTypeAltered is returned when a value of a composite type is read and the type has been altered
// since it was loaded. The next statement that needs the type loads it again.
var errTypeAltered = errors.New("the composite type has been altered since it was loaded")

func (c *compositeCodec) fits(src []byte) bool {
	if len(src) < 4 || binary.BigEndian.Uint32(src) != uint32(len(c.Fields)) {
		return false
	}
	src = src[4:]
	for _, field := range c.Fields {
		if len(src) < 8 || binary.BigEndian.Uint32(src) != field.Type.OID {
			return false
		}
		size := max(0, int(int32(binary.BigEndian.Uint32(src[4:])))) // -1 for NULL
		if src = src[8:]; len(src) < size {
			return false
		}
		src = src[size:]
	}
	return true
}

// PlanScan implements [pgtype.Codec].
func (c *compositeCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	plan := c.CompositeCodec.PlanScan(m, oid, format, target)
	if plan == nil || format != pgtype.BinaryFormatCode {
		return plan
	}
	return compositePlan{plan, c}
}

// DecodeValue implements [pgtype.Codec].
func (c *compositeCodec) DecodeValue(m *pgtype.Map, oid uint32, format int16, src []byte) (any, error) {
	if src != nil && format == pgtype.BinaryFormatCode && !c.fits(src) {
		return nil, errTypeAltered
	}
	return c.CompositeCodec.DecodeValue(m, oid, format, src)
}

type compositePlan struct {
	pgtype.ScanPlan
	codec *compositeCodec
}

// Scan implements [pgtype.ScanPlan].
func (p compositePlan) Scan(src []byte, target any) error {
	if src != nil && !p.codec.fits(src) {
		return errTypeAltered
	}
	return p.ScanPlan.Scan(src, target)
}
