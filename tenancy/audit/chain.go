package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/netip"
	"strings"
	"time"
)

// ChainID is the random id of a chain: the rows that one process wrote in one month, or the
// transactional entries of one tenant in one month.
type ChainID [16]byte

// String returns the id in the format of a PostgreSQL uuid.
func (c ChainID) String() string {
	h := hex.EncodeToString(c[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func newChainID() (c ChainID) {
	_, _ = rand.Read(c[:]) // it never fails
	c[6], c[8] = c[6]&0x0f|0x40, c[8]&0x3f|0x80
	return c
}

// Hash is the hash of a row, or a digest of rows.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// month is the number of months since the year 0.
type month int32

func monthOf(t time.Time) month {
	t = t.UTC()
	return month(t.Year()*12 + int(t.Month()) - 1)
}

// first returns the first day of the month, the form in which the database stores it.
func (m month) first() time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
}

// row is an entry with its place in a chain.
type row struct {
	entry
	month    month
	chain    ChainID
	position int64
	seq      int64
	hash     Hash
}

// hasher computes the hashes of rows: SHA-256, or HMAC-SHA-256 with a key. It is not safe for
// concurrent use.
type hasher struct {
	h   hash.Hash
	buf []byte
}

func newHasher(key []byte) *hasher {
	if len(key) == 0 {
		return &hasher{h: sha256.New()}
	}
	return &hasher{h: hmac.New(sha256.New, key)}
}

// encoding is the first byte of the hashed text, the version of the encoding.
const encoding = 1

// row returns the hash of r after prev, the hash of the same tenant's previous row in the chain, or
// zeros. Numbers are eight bytes, big-endian. Texts are preceded by their length.
func (h *hasher) row(r *row, prev *Hash) (sum Hash) {
	b := append(h.buf[:0], encoding)
	b = append(b, prev[:]...)
	b = append(b, r.chain[:]...)
	for _, n := range [...]int64{int64(r.month), r.position, r.tenant, r.seq, r.at} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, text := range [...]string{string(r.action), r.actor, r.slug, r.schema, r.requestID, r.details} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	b = appendAddr(b, r.ip)
	h.buf = b
	h.sum(b, &sum)
	return sum
}

func (h *hasher) sum(b []byte, sum *Hash) {
	h.h.Reset()
	h.h.Write(b)
	h.h.Sum(sum[:0])
}

// appendAddr appends the bytes of an address, preceded by their number: 0, 4 or 16.
func appendAddr(b []byte, ip netip.Addr) []byte {
	switch {
	case ip.Is4():
		a := ip.As4()
		return append(append(b, 4), a[:]...)
	case ip.IsValid():
		a := ip.As16()
		return append(append(b, 16), a[:]...)
	}
	return append(b, 0)
}

// digest returns the digest of a chain including a row. It covers all previous rows of all tenants.
func digest(before, rowHash *Hash) Hash {
	var b [2 * sha256.Size]byte
	copy(b[:], before[:])
	copy(b[sha256.Size:], rowHash[:])
	return sha256.Sum256(b[:])
}

// ChainHead is the position of the last row of a chain and a digest of all of its rows, of all
// tenants. Kept where the owner of the database cannot write, it proves later that these rows exist
// and are unchanged.
type ChainHead struct {
	Chain    ChainID
	Month    time.Time // its first day
	Position int64     // of the last row
	Digest   Hash
}

// link is the place of a tenant's last row in a chain.
type link struct {
	seq  int64
	hash Hash
}

// chain turns entries into rows. It is used by one goroutine.
type chain struct {
	id       ChainID
	month    month
	position int64
	digest   Hash
	links    map[int64]link // by tenant
}

// add appends e to the chain.
func (c *chain) add(h *hasher, e entry) row {
	before := c.links[e.tenant]
	c.position++
	r := row{entry: e, month: c.month, chain: c.id, position: c.position, seq: before.seq + 1}
	r.hash = h.row(&r, &before.hash)
	c.links[e.tenant] = link{seq: r.seq, hash: r.hash}
	c.digest = digest(&c.digest, &r.hash)
	return r
}

func (c *chain) head() ChainHead {
	return ChainHead{Chain: c.id, Month: c.month.first(), Position: c.position, Digest: c.digest}
}

// newChain starts a chain whose first row names the previous chain. A zero before means that there
// is none.
func newChain(h *hasher, m month, before ChainHead, opened entry) (*chain, row) {
	c := &chain{id: newChainID(), month: m, links: map[int64]link{}}
	opened.action, opened.details = LogOpened, "{}"
	if before.Position > 0 {
		opened.details = linkDetails(before)
	}
	return c, c.add(h, opened)
}

// linkDetails returns the canonical JSON that [parseLink] reads.
func linkDetails(h ChainHead) string {
	return `{"after_chain":"` + h.Chain.String() + `","after_digest":"` + h.Digest.String() +
		`","after_month":"` + h.Month.Format(time.DateOnly) + `","after_position":` + itoa(h.Position) + `}`
}

// parseHex decodes hexadecimal digits, with or without hyphens, that exactly fill to.
func parseHex(to []byte, s string) bool {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return err == nil && copy(to, b) == len(to) && len(b) == len(to)
}
