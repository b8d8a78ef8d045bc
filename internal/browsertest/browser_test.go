package browsertest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take, on a machine with much to do.
const patience = 60 * time.Second

// browser is somebody at a browser of their own, with cookies of their own.
type browser struct {
	t     *testing.T
	ctx   context.Context
	shots string

	complaints chan string // of the browser about pages
}

// chromium finds the browser, or skips; where all of it has to run it fails.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no chromium")
	}
	t.Skip("there is no chromium")
	return ""
}

// newBrowser starts one with a profile that is gone after the test. What a page would complain of
// in its console fails the test: a policy that a page breaks is a mistake in the one or the other.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WindowSize(1200, 900), chromedp.WSURLReadTimeout(patience))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, shots: os.Getenv("SCREENSHOTS"), complaints: make(chan string, 100)}
	if b.shots == "" {
		b.shots = t.TempDir()
	}
	check(t, os.MkdirAll(b.shots, 0o755))
	check(t, chromedp.Do(ctx)) // starts it
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if strings.Contains(m.Text, "Content Security Policy") || m.Exception != nil {
				b.complaints <- m.Text
			}
		}
	}()
	return b
}

// do does what a person does, one thing after the other.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.shot("failed")
		b.t.Fatalf("%v, at %s: %s", err, b.where(), b.text("body"))
	}
}

// open goes to a page.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("main")))
}

// fill types into the fields of the page, given by their ids.
func (b *browser) fill(fields ...string) {
	b.t.Helper()
	for i := 0; i+1 < len(fields); i += 2 {
		b.do(chromedp.SetValue(chromedp.CSS("#"+fields[i]), fields[i+1]))
	}
}

// press presses the button with the text, and waits for the page that comes.
func (b *browser) press(text string) {
	b.t.Helper()
	b.follow(`//button[normalize-space()="` + text + `"]`)
}

// link follows the link with the text.
func (b *browser) link(text string) {
	b.t.Helper()
	b.follow(`//a[normalize-space()="` + text + `"]`)
}

func (b *browser) follow(xpath string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.Search(xpath))); err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v, at %s: %s", xpath, err, b.where(), b.text("body"))
	}
	b.do(chromedp.WaitReady(chromedp.CSS("main")))
}

// text is what a part of the page says.
func (b *browser) text(selector string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatalf("text of %s: %v", selector, err)
	}
	return strings.TrimSpace(text)
}

func (b *browser) where() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	url, _ := chromedp.Run(ctx, chromedp.Location())
	return url
}

// sees fails unless the page says all of it.
func (b *browser) sees(all ...string) {
	b.t.Helper()
	body := b.text("body")
	for _, text := range all {
		if !strings.Contains(body, text) {
			b.shot("failed")
			b.t.Fatalf("%s does not say %q: %s", b.where(), text, body)
		}
	}
}

// dark has the pages in dark colours from now on, as the system of whoever wants that says.
func (b *browser) dark() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	check(b.t, err)
}

// shot keeps a picture of the whole page.
func (b *browser) shot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Errorf("screenshot %s: %v", name, err)
		return
	}
	check(b.t, os.WriteFile(filepath.Join(b.shots, name+".png"), picture, 0o644))
}

// expectNoComplaints fails if a page has done what its own policy forbids, or has thrown something.
func (b *browser) expectNoComplaints() {
	b.t.Helper()
	for {
		select {
		case text := <-b.complaints:
			b.t.Errorf("the browser complains: %s", text)
		default:
			return
		}
	}
}
