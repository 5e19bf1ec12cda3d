// Plays the five short routes of the pool `elastic` as a client uses them, with nothing but fetch. It prints each
// request and its answer, and deletes the tokens that it made:
//   npm start                            # in one terminal
//   node examples/elastic-client.mjs     # in another; TOKEN_POOL_URL and TOKEN_POOL_KEY as for the command line

const url = process.env.TOKEN_POOL_URL || 'http://127.0.0.1:4000';
const key = process.env.TOKEN_POOL_KEY;

/** Sends a request, prints it with its answer, and returns the status and the body. */
async function post(path, body) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  console.log(`POST ${path} ${body ? JSON.stringify(body) : ''}`.trimEnd());
  console.log(`  ${response.status} ${answer.token ?? answer.message}`);
  return { status: response.status, ...answer };
}

console.log('# The pool generates tokens until it has its size.');
const made = [];
for (;;) {
  const { status, token } = await post('/generate-token');
  if (status !== 201) break;
  made.push(token);
}

try {
  console.log('# A client takes the token that is free for the longest. Any text is a client.');
  const { token } = await post('/assign-token', { client_id: 'kiosk-7' });
  if (token === undefined) throw new Error('others hold every token of the pool');

  console.log('# While the client works, it says so before its time is up: 60 s, unless the pool has another length.');
  await post('/keep-alive', { token, client_id: 'kiosk-7' });

  console.log('# Another client cannot keep it.');
  await post('/keep-alive', { token, client_id: 'kiosk-8' });

  console.log('# The client gives it back. It is free for the next one.');
  await post('/unblock-token', { token });
} finally {
  console.log('# Tokens that nobody needs any more are deleted. The service deletes a free one after 300 s by itself.');
  for (const token of made) await post('/delete-token', { token });
}
