package audit

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/netip"
	"os"
)

// A frame is the encoding of a batch in a file: its length, its checksum (CRC-32C) and the batch.
// Numbers are little-endian; texts and addresses are preceded by their length.

const frameHeader = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendFrame(b []byte, rows batch) []byte {
	start := len(b)
	b = append(b, make([]byte, frameHeader)...)
	b = appendHead(b, rows.head)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rows.rows)))
	for i := range rows.rows {
		b = appendRow(b, &rows.rows[i])
	}
	body := b[start+frameHeader:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

func appendHead(b []byte, h ChainHead) []byte {
	b = append(b, h.Chain[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(monthOf(h.Month)))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Position))
	return append(b, h.Digest[:]...)
}

func appendRow(b []byte, r *row) []byte {
	for _, n := range [...]int64{r.position, r.tenant, r.seq, r.at} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, r.hash[:]...)
	for _, text := range [...]string{
		string(r.action), r.actor, r.slug, r.schema, r.requestID, r.details, string(r.ip.AsSlice()),
	} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	return b
}

// reader decodes what the append functions encode. After invalid input, ok is false and it returns
// zero values.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) bytes(n int) []byte {
	if !r.ok || n < 0 || n > len(r.b) {
		r.ok = false
		return nil
	}
	got := r.b[:n]
	r.b = r.b[n:]
	return got
}

func (r *reader) number() int64 {
	if b := r.bytes(8); r.ok {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *reader) count() int {
	if b := r.bytes(4); r.ok {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

func (r *reader) text() string { return string(r.bytes(r.count())) }

func (r *reader) head() (h ChainHead) {
	copy(h.Chain[:], r.bytes(len(h.Chain)))
	h.Month = month(r.number()).first()
	h.Position = r.number()
	copy(h.Digest[:], r.bytes(len(h.Digest)))
	return h
}

func (r *reader) row(h ChainHead) (got row) {
	got.chain, got.month = h.Chain, monthOf(h.Month)
	got.position, got.tenant, got.seq, got.at = r.number(), r.number(), r.number(), r.number()
	copy(got.hash[:], r.bytes(len(got.hash)))
	got.action = Action(r.text())
	got.actor, got.slug, got.schema, got.requestID, got.details = r.text(), r.text(), r.text(), r.text(), r.text()
	ip := r.text()
	got.ip, _ = netip.AddrFromSlice([]byte(ip)) // without an address it is invalid
	r.ok = r.ok && (ip == "" || got.ip.IsValid())
	return got
}

func parseFrame(body []byte) (b batch, ok bool) {
	r := &reader{b: body, ok: true}
	b.head = r.head()
	for range r.count() {
		if !r.ok {
			return batch{}, false
		}
		b.rows = append(b.rows, r.row(b.head))
	}
	return b, r.ok && len(r.b) == 0
}

// segment is a file of frames that is being read. If the process was killed, the last frame may be
// torn. Reading ends before it.
type segment struct {
	content []byte
	offset  int // offset of the frame that batch returns
	length  int // length of that frame
	size    int64
	skipped bool // a complete frame was damaged and skipped
}

func openSegment(root *os.Root, name string) (*segment, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	return &segment{content: content, size: int64(len(content))}, err
}

// batch returns the batch at the offset, or false at the end. Damaged frames are skipped.
func (s *segment) batch() (batch, bool) {
	for {
		rest := s.content[s.offset:]
		if len(rest) < frameHeader {
			return batch{}, false
		}
		length := int64(binary.LittleEndian.Uint32(rest))
		if length > int64(len(rest)-frameHeader) {
			return batch{}, false
		}
		s.length = frameHeader + int(length)
		body := rest[frameHeader:s.length]
		if crc32.Checksum(body, castagnoli) == binary.LittleEndian.Uint32(rest[4:]) {
			if b, ok := parseFrame(body); ok {
				return b, true
			}
		}
		s.skipped = true
		s.next()
	}
}

// next moves to the frame after the one that batch returned.
func (s *segment) next() { s.offset += s.length }

// damaged reports whether frames were skipped or, after the last batch, the end is torn. A damaged
// file is kept for inspection.
func (s *segment) damaged() bool { return s.skipped || s.offset < len(s.content) }
