package audit

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzCanonical looks for JSON whose canonical form is not canonical, has another meaning, or is
// not JSON.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"b":1,"a":[1.50,-0,1e3,1E-3,0.0e5]}`, `"\u0000\ud800\u2028\u00e9"`, `{"a":1,"a":2}`, `[[[[]]]]`, `1e399`,
		`{"\u0000":1,"\ufffd":2}`, ` null `,
		`"\b\f\n\r\t\"\\\/"`, `-1.0e-10`, `123456789012345678901234567890`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		form, err := canonical(text, nil)
		if err != nil {
			return
		}
		again, err := canonical(form, nil)
		require.NoError(t, err, "%q becomes %q, then %q", text, form, again)
		require.Equal(t, again, form, "%q becomes %q, then %q", text, form, again)
		assert.True(t, !bytes.Contains(form, []byte(`\u0000`)) || bytes.Contains(form, []byte(`\\u0000`)),
			"jsonb refuses %q", form)
		var a, b any
		if json.Unmarshal(text, &a) == nil {
			assert.NoError(t, json.Unmarshal(form, &b), "%q became %q, which is not JSON", text, form)
		}
		if !bytes.Contains(text, []byte(`\u0000`)) && !bytes.Contains(text, []byte("-")) {
			assert.Equal(t, b, a, "%q became %q", text, form)
		}
	})
}

// FuzzFrame checks that a file is read only if it was written as it is.
func FuzzFrame(f *testing.F) {
	c, opened := newChain(newHasher(nil), 24311, ChainHead{}, entry{actor: "a"})
	frame := appendFrame(
		nil,
		batch{rows: []row{opened, c.add(newHasher(nil), entry{tenant: 1, action: Login, details: "{}"})}, head: c.head()},
	)
	f.Add(frame)
	f.Add(append(frame, frame[:20]...))
	f.Fuzz(func(t *testing.T, content []byte) {
		s := &segment{content: content}
		for {
			b, ok := s.batch()
			if !ok {
				return
			}
			require.Equal(t, content[s.offset:s.offset+s.length], appendFrame(nil, b))
			s.next()
		}
	})
}
