-- What platform staff need to log in. Nobody but the owner has rights on it.

-- +goose Up
create table public.staff_codes (
	user_id bigint primary key references public.platform_users on delete cascade,
	secret bytea not null, -- of one-time codes, encrypted by the program
	last_step bigint not null default 0 -- the time step of the last code that was taken: no code is good twice
);
create table public.staff_sessions (
	hash bytea primary key, -- SHA-256 of what the browser has
	user_id bigint not null references public.platform_users on delete cascade,
	created_at timestamptz not null default now(),
	seen_at timestamptz not null default now()
);
create index staff_sessions_user on public.staff_sessions (user_id);

-- +goose Down
drop table public.staff_sessions;
drop table public.staff_codes;
