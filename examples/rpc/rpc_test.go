package rpc_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/oryne/pgtenant/examples/rpc"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// platform is a registry with schools without domains.
type platform struct {
	db      *schemactx.DB
	manager *tenancy.Manager
	schools rpc.Tenants
	admin   *pgxpool.Pool
}

func setup(t *testing.T) *platform {
	t.Helper()
	ctx := t.Context()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(ctx, pg.Pool, admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"})
	require.NoError(t, err)
	owner, runtime := open(t, pg.URLAs(roles.Owner(), "o")), open(t, pg.URLAs(roles.Runtime(), "r"))
	p := &platform{admin: pg.Pool}
	p.db, err = schemactx.New(runtime, schemactx.Config{Roles: roles})
	require.NoError(t, err)
	runner, err := migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "school", FS: fstest.MapFS{"00001_name.sql": {Data: []byte(
			"-- +goose Up\ncreate table name (name text);\n-- +goose Down\ndrop table name;\n")}}}},
	})
	require.NoError(t, err)
	p.manager, err = tenancy.New(
		owner,
		tenancy.Config{Migrator: runner, Roles: roles, Seed: func(ctx context.Context, tenant *tenancy.Tenant) error {
			_, err := p.db.Exec(ctx, "insert into name values ($1)", "School "+tenant.Slug)
			return err
		}},
	)
	require.NoError(t, err)
	require.NoError(t, p.manager.Init(ctx))
	for _, slug := range []string{"a", "b", "closed", "worked-on", "kept"} {
		_, err := p.manager.Create(ctx, tenancy.CreateParams{Slug: slug}) // without a domain: the metadata has the slug
		require.NoError(t, err)
	}
	_, err = p.manager.Suspend(ctx, "closed", "unpaid")
	require.NoError(t, err)
	_, err = p.manager.StartMaintenance(
		ctx,
		"worked-on",
		tenancy.MaintenanceParams{Until: time.Now().Add(10 * time.Minute)},
	)
	require.NoError(t, err)
	directory, err := resolver.NewDirectory(ctx, p.db, resolver.Config{})
	require.NoError(t, err)
	t.Cleanup(directory.Close)
	p.schools = rpc.Tenants{
		Find: func(ctx context.Context, key string) (tenanthttp.Target, error) {
			if key == "trouble" {
				return tenanthttp.Target{}, errors.New("the registry is away")
			}
			return directory.ResolveSlug(ctx, key)
		},
		Admit: func(_ context.Context, t *tenancy.Tenant) error {
			if t.Slug == "kept" {
				return &tenancy.QuarantineError{Slug: t.Slug, Reason: "behind", RetryAfter: 5 * time.Second}
			}
			return nil
		},
	}
	return p
}

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// name is the handler of both services. It reads the name of the school of the call.
func (p *platform) name(ctx context.Context) (*wrapperspb.StringValue, error) {
	var name string
	err := p.db.QueryRow(ctx, "select name from name").Scan(&name)
	return wrapperspb.String(name), err
}

// calls are the metadata of calls with their results: the name, or the code, the text and whether a
// time to retry is given.
var calls = []struct {
	keys  []string
	name  string
	code  uint32
	text  string
	retry bool
}{
	{[]string{"a"}, "School a", 0, "", false},
	{[]string{"b"}, "School b", 0, "", false},
	{[]string{"a"}, "School a", 0, "", false},
	{nil, "", 5, "Unknown host", false},
	{[]string{"nobody"}, "", 5, "Unknown host", false},
	{[]string{"a", "b"}, "", 3, "more than one", false},
	{[]string{"closed"}, "", 7, "unpaid", false},
	{[]string{"worked-on"}, "", 14, "Maintenance", true},
	{[]string{"kept"}, "", 14, "Being updated", true},
	{[]string{"trouble"}, "", 14, "Try again soon", true},
}

func TestGRPCServesTenants(t *testing.T) {
	t.Parallel()
	p := setup(t)
	server := grpc.NewServer(grpc.UnaryInterceptor(p.schools.GRPCUnary), grpc.StreamInterceptor(p.schools.GRPCStream))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "School",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{
				MethodName: "Name",
				Handler: func(
					_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
				) (any, error) {
					req := new(emptypb.Empty)
					if err := decode(req); err != nil {
						return nil, err
					}
					handler := func(ctx context.Context, _ any) (any, error) { return p.name(ctx) }
					return intercept(ctx, req, &grpc.UnaryServerInfo{}, handler)
				},
			},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Names", ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
				if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
					return err
				}
				name, err := p.name(stream.Context())
				if err != nil {
					return err
				}
				return stream.SendMsg(name)
			}},
		},
	}, p)
	client := serve(t, server)
	for _, c := range calls {
		ctx := t.Context()
		for _, key := range c.keys {
			ctx = metadata.AppendToOutgoingContext(ctx, rpc.Key, key)
		}
		single, streamed := new(wrapperspb.StringValue), new(wrapperspb.StringValue)
		err := client.Invoke(ctx, "/School/Name", &emptypb.Empty{}, single)
		for got, err := range map[*wrapperspb.StringValue]error{single: err, streamed: stream(ctx, client, streamed)} {
			st := status.Convert(err)
			assert.Equal(t, c.name, got.GetValue(), c.keys)
			assert.Equal(t, c.code, uint32(st.Code()), c.keys)
			assert.Contains(t, st.Message(), c.text)
			retry := false
			for _, d := range st.Details() {
				retry = d.(*errdetails.RetryInfo).GetRetryDelay().AsDuration() > 0
			}
			assert.Equal(t, c.retry, retry, c.keys)
		}
	}
}

// A stream ends at the next message after its tenant is suspended.
func TestAStreamEndsWhenItsTenantIsSuspended(t *testing.T) {
	t.Parallel()
	p := setup(t)
	suspended := make(chan struct{})
	twice := func(ctx context.Context, send func(*wrapperspb.StringValue) error) error {
		name, err := p.name(ctx)
		if err == nil {
			err = send(name)
		}
		if err != nil {
			return err
		}
		<-suspended
		return send(name)
	}
	server := grpc.NewServer(grpc.StreamInterceptor(p.schools.GRPCStream))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "School",
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			{StreamName: "Names", ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
				return twice(stream.Context(), func(v *wrapperspb.StringValue) error { return stream.SendMsg(v) })
			}},
		},
	}, p)
	grpcStream, err := serve(t, server).NewStream(metadata.AppendToOutgoingContext(t.Context(), rpc.Key, "a"),
		&grpc.StreamDesc{ServerStreams: true}, "/School/Names")
	require.NoError(t, err)
	require.NoError(t, grpcStream.CloseSend())

	streamed := httptest.NewServer(connect.NewServerStreamHandler(
		"/School/Names",
		func(
			ctx context.Context, _ *connect.Request[emptypb.Empty], stream *connect.ServerStream[wrapperspb.StringValue],
		) error {
			return twice(ctx, stream.Send)
		},
		connect.WithInterceptors(p.schools.Connect()),
	))
	t.Cleanup(streamed.Close)
	request := connect.NewRequest(&emptypb.Empty{})
	request.Header().Set(httpKey, "a")
	connectStream, err := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](
		streamed.Client(),
		streamed.URL+"/School/Names",
	).
		CallServerStream(t.Context(), request)
	require.NoError(t, err)

	got := new(wrapperspb.StringValue)
	require.NoError(t, grpcStream.RecvMsg(got))
	assert.Equal(t, "School a", got.GetValue())
	require.True(t, connectStream.Receive())
	assert.Equal(t, "School a", connectStream.Msg().GetValue())
	_, err = p.manager.Suspend(t.Context(), "a", "unpaid")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		target, err := p.schools.Find(t.Context(), "a")
		return err == nil && target.Tenant().Status == tenancy.Suspended
	}, time.Minute, time.Millisecond)
	close(suspended)
	assert.Equal(t, codes.PermissionDenied, status.Code(grpcStream.RecvMsg(got)))
	assert.False(t, connectStream.Receive())
	expectRefused(t, connectStream.Err(), 7, "unpaid", false)
	require.NoError(t, connectStream.Close())
}

// The caller gets a code for a handler's error. The text of the error stays on the server.
func TestHandlerErrorsBecomeCodes(t *testing.T) {
	t.Parallel()
	p := setup(t)
	away, err := schemactx.New(open(t, "postgres://nobody@127.0.0.1:1/none?sslmode=disable"), schemactx.Config{})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		handler func(ctx context.Context, cancel func()) error
		code    codes.Code
		retry   bool
	}{
		"a statement's": {func(ctx context.Context, _ func()) error {
			_, err := p.db.Exec(ctx, "select secret from name")
			return err
		}, codes.Internal, false},
		"the database is away": {func(ctx context.Context, _ func()) error {
			_, err := away.Exec(ctx, "select 1")
			return err
		}, codes.Unavailable, true},
		"the connection is lost": {func(ctx context.Context, _ func()) error {
			lost := make(chan error)
			go func() {
				_, err := p.db.Exec(ctx, "select pg_sleep(600)")
				lost <- err
			}()
			for ended := 0; ended == 0; {
				err := p.admin.QueryRow(ctx, `select count(pg_terminate_backend(pid)) from pg_stat_activity
					where datname = current_database() and state = 'active' and pid <> pg_backend_pid()
						and wait_event = 'PgSleep'`).Scan(&ended)
				if err != nil {
					return err
				}
			}
			return <-lost
		}, codes.Unknown, false},
		"the handler's own deadline": {func(ctx context.Context, _ func()) error {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, err := p.db.Exec(ctx, "select pg_sleep(600)")
			return err
		}, codes.DeadlineExceeded, false},
		"the caller is gone": {func(ctx context.Context, cancel func()) error {
			cancel()
			_, err := p.db.Exec(ctx, "select 1")
			return err
		}, codes.Canceled, false},
		"the library's": {
			func(context.Context, func()) error { return tenanthttp.ErrNoSession }, codes.Unauthenticated, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := p.schools.GRPCUnary(metadata.NewIncomingContext(ctx, metadata.Pairs(rpc.Key, "a")), nil, nil,
				func(ctx context.Context, _ any) (any, error) { return nil, c.handler(ctx, cancel) })
			st := status.Convert(err)
			assert.Equal(t, c.code, st.Code(), err)
			assert.Equal(t, c.retry, len(st.Details()) > 0)
			assert.NotContains(t, st.Message(), "secret")

			ctx, cancel = context.WithCancel(t.Context())
			defer cancel()
			request := connect.NewRequest(&emptypb.Empty{})
			request.Header().Set(httpKey, "a")
			_, err = p.schools.Connect().WrapUnary(func(ctx context.Context, _ connect.AnyRequest) (connect.AnyResponse, error) {
				return nil, c.handler(ctx, cancel)
			})(ctx, request)
			expectRefused(t, err, uint32(c.code), "", c.retry)
			assert.NotContains(t, err.Error(), "secret")
		})
	}

	// An error that already has a code stays as it is.
	taken := status.Error(codes.AlreadyExists, "taken")
	_, err = p.schools.GRPCUnary(metadata.NewIncomingContext(t.Context(), metadata.Pairs(rpc.Key, "a")), nil, nil,
		func(context.Context, any) (any, error) { return nil, taken })
	assert.Equal(t, taken, err)

	// A call that was canceled before its tenant was found is not reported as a failure of the
	// registry.
	ctx, cancel := context.WithCancel(metadata.NewIncomingContext(t.Context(), metadata.Pairs(rpc.Key, "trouble")))
	cancel()
	_, err = p.schools.GRPCUnary(ctx, nil, nil, func(context.Context, any) (any, error) { return nil, nil })
	assert.Equal(t, codes.Canceled, status.Code(err))
}

// serve runs the server until the test ends, and returns a client.
func serve(t *testing.T, server *grpc.Server) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	go server.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(server.Stop)
	client, err := grpc.NewClient("passthrough:///school", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

// stream gets the name through the streaming method.
func stream(ctx context.Context, client *grpc.ClientConn, into *wrapperspb.StringValue) error {
	s, err := client.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/School/Names")
	if err != nil {
		return err
	}
	if err := errors.Join(s.SendMsg(&emptypb.Empty{}), s.CloseSend()); err != nil {
		return err
	}
	return s.RecvMsg(into)
}

func TestConnectServesTenants(t *testing.T) {
	t.Parallel()
	p := setup(t)
	intercepted := connect.WithInterceptors(p.schools.Connect())
	single := httptest.NewServer(connect.NewUnaryHandler("/School/Name",
		func(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
			name, err := p.name(ctx)
			return connect.NewResponse(name), err
		}, intercepted))
	t.Cleanup(single.Close)
	streamed := httptest.NewServer(connect.NewServerStreamHandler(
		"/School/Names",
		func(
			ctx context.Context, _ *connect.Request[emptypb.Empty], stream *connect.ServerStream[wrapperspb.StringValue],
		) error {
			name, err := p.name(ctx)
			if err != nil {
				return err
			}
			return stream.Send(name)
		},
		intercepted,
	))
	t.Cleanup(streamed.Close)
	one := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](
		single.Client(),
		single.URL+"/School/Name",
		intercepted,
	)
	many := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](
		streamed.Client(),
		streamed.URL+"/School/Names",
		intercepted,
	)

	for _, c := range calls {
		request := func() *connect.Request[emptypb.Empty] {
			r := connect.NewRequest(&emptypb.Empty{})
			r.Header()[httpKey] = c.keys
			return r
		}
		response, err := one.CallUnary(t.Context(), request())
		if c.code == 0 {
			require.NoError(t, err)
			assert.Equal(t, c.name, response.Msg.GetValue())
		} else {
			expectRefused(t, err, c.code, c.text, c.retry)
		}
		messages, err := many.CallServerStream(t.Context(), request())
		require.NoError(t, err)
		assert.Equal(t, c.code == 0, messages.Receive(), c.keys)
		assert.Equal(t, c.name, messages.Msg().GetValue())
		if c.code > 0 {
			expectRefused(t, messages.Err(), c.code, c.text, c.retry)
		}
		require.NoError(t, messages.Close())
	}
}

// httpKey is the metadata key as an HTTP header.
const httpKey = "X-Tenant"

func expectRefused(t *testing.T, err error, code uint32, text string, retry bool) {
	t.Helper()
	var connectErr *connect.Error
	require.ErrorAs(t, err, &connectErr)
	assert.Equal(t, code, uint32(connectErr.Code()))
	assert.Contains(t, connectErr.Message(), text)
	assert.Equal(t, retry, connectErr.Meta().Get("Retry-After") != "")
}
