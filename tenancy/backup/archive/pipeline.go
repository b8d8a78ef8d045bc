package archive

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// pipeline compresses parts in several goroutines and writes them in their order in another one.
type pipeline struct {
	w       *Writer
	encoder *zstd.Encoder
	free    chan *part // parts to fill; as many as there are bound the memory
	work    chan *part // to be compressed
	queue   chan *part // to be written, in order
	ended   sync.WaitGroup

	mu  sync.Mutex
	err error // the first one
}

// part is a piece of a table's CSV.
type part struct {
	entry  string
	sum    *tableSum
	last   bool // of its table
	raw    []byte
	packed []byte
	done   chan struct{} // gets an element when packed is ready
}

// newPipeline starts the goroutines. A part more than there are workers is being filled, and one is being written.
func newPipeline(w *Writer, opts WriterOptions) (*pipeline, error) {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(opts.Level)), zstd.WithEncoderConcurrency(opts.Workers),
		zstd.WithWindowSize(window(opts.PartSize)), zstd.WithLowerEncoderMem(true), zstd.WithSingleSegment(true))
	if err != nil {
		return nil, err
	}
	n := opts.Workers + 2
	p := &pipeline{w: w, encoder: encoder, free: make(chan *part, n), work: make(chan *part, n), queue: make(chan *part, n)}
	for range n {
		p.free <- &part{done: make(chan struct{}, 1)}
	}
	for range opts.Workers {
		p.ended.Go(p.compress)
	}
	p.ended.Go(p.write)
	return p, nil
}

// window is the power of two that holds a part: with a frame of a single segment it costs no memory to have all of it.
func window(partSize int) int {
	n := zstd.MinWindowSize
	for n < partSize {
		n *= 2
	}
	return n
}

// take returns an empty part, as soon as there is one, or the error that makes it useless.
func (p *pipeline) take() (*part, error) {
	part := <-p.free
	part.raw = part.raw[:0]
	if err := p.failure(); err != nil {
		p.free <- part
		return nil, err
	}
	return part, nil
}

// send hands over a part that is full.
func (p *pipeline) send(part *part) {
	p.queue <- part
	p.work <- part
}

func (p *pipeline) compress() {
	for part := range p.work {
		part.packed = p.encoder.EncodeAll(part.raw, part.packed[:0])
		part.done <- struct{}{}
	}
}

// write writes parts until the queue is closed. After an error it only takes them.
func (p *pipeline) write() {
	for part := range p.queue {
		<-part.done
		if p.failure() == nil {
			if err := p.put(part); err != nil {
				p.fail(err)
			}
		}
		p.free <- part
	}
}

func (p *pipeline) put(part *part) error {
	s := part.sum
	s.hash.Write(part.raw)
	s.Bytes += int64(len(part.raw))
	s.Stored += int64(len(part.packed))
	if err := p.w.entry(part.entry, part.packed); err != nil {
		return err
	}
	if part.last {
		s.SHA256 = hexSum(s.hash)
		p.w.manifest.Tables = append(p.w.manifest.Tables, s.TableSum)
	}
	return nil
}

// fail keeps the first error.
func (p *pipeline) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *pipeline) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// close waits for what was sent and ends the goroutines.
func (p *pipeline) close() error {
	close(p.work)
	close(p.queue)
	p.ended.Wait()
	_ = p.encoder.Close() // without a stream it has nothing to flush
	return p.failure()
}
