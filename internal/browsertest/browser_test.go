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
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pageTimeout bounds the time that a page may take, also on a busy machine.
const pageTimeout = 60 * time.Second

// browser is a browser with its own profile and cookies.
type browser struct {
	t     *testing.T
	ctx   context.Context
	shots string

	complaints chan string // console messages and exceptions of pages
}

// chromium returns the path of the browser. Without one it skips the test, or fails it if CI is
// set.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.Empty(t, os.Getenv("CI"), "there is no chromium")
	t.Skip("there is no chromium")
	return ""
}

// newBrowser starts a browser with a temporary profile. A message on the page's console fails the
// test: it means that a page and its content security policy do not agree.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.WindowSize(1200, 900),
		chromedp.WSURLReadTimeout(pageTimeout),
	)
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, shots: os.Getenv("SCREENSHOTS"), complaints: make(chan string, 100)}
	if b.shots == "" {
		b.shots = t.TempDir()
	}
	require.NoError(t, os.MkdirAll(b.shots, 0o755))
	require.NoError(t, chromedp.Do(ctx)) // starts the browser
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

// do runs the actions in order.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.shot("failed")
		require.NoError(b.t, err, "at %s: %s", b.where(), b.text("body"))
	}
}

// open goes to a page.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("main")))
}

// fill types values into fields of the page. The fields are given by id, each followed by its
// value.
func (b *browser) fill(fields ...string) {
	b.t.Helper()
	for i := 0; i+1 < len(fields); i += 2 {
		b.do(chromedp.SetValue(chromedp.CSS("#"+fields[i]), fields[i+1]))
	}
}

// press presses the button with the text, and waits for the next page.
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
	ctx, cancel := context.WithTimeout(b.ctx, pageTimeout)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.Search(xpath))); err != nil {
		b.shot("failed")
		require.NoError(b.t, err, "%s at %s: %s", xpath, b.where(), b.text("body"))
	}
	b.do(chromedp.WaitReady(chromedp.CSS("main")))
}

// text returns the text of the element.
func (b *browser) text(selector string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageTimeout)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	require.NoError(b.t, err, "text of %s", selector)
	return strings.TrimSpace(text)
}

func (b *browser) where() string {
	ctx, cancel := context.WithTimeout(b.ctx, pageTimeout)
	defer cancel()
	url, _ := chromedp.Run(ctx, chromedp.Location())
	return url
}

// sees fails the test unless the page contains all of the texts.
func (b *browser) sees(all ...string) {
	b.t.Helper()
	body := b.text("body")
	for _, text := range all {
		if !strings.Contains(body, text) {
			b.shot("failed")
			require.Contains(b.t, body, text, b.where())
		}
	}
}

// dark emulates a user who prefers dark colours.
func (b *browser) dark() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	require.NoError(b.t, err)
}

// shot saves a screenshot of the whole page.
func (b *browser) shot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageTimeout)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if !assert.NoError(b.t, err, "screenshot %s", name) {
		return
	}
	require.NoError(b.t, os.WriteFile(filepath.Join(b.shots, name+".png"), picture, 0o644))
}

// expectNoComplaints fails the test if a page has violated its policy or thrown an exception.
func (b *browser) expectNoComplaints() {
	b.t.Helper()
	for {
		select {
		case text := <-b.complaints:
			assert.Fail(b.t, "the browser reports an error", text)
		default:
			return
		}
	}
}
