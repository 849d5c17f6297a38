import './nonce.ts';
import 'graphiql/setup-workers/vite';
import '@graphiql/react/font/fira-code.css';
import '@graphiql/react/font/roboto.css';
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './playground.css';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { fetcher } from './fetcher.ts';
import { openSession } from './session.ts';
import { SignedIn } from './signed-in.tsx';
import { startersFor } from './starters.ts';

// The token must leave the address bar before anything else is loaded.
const session = openSession();

const root = document.getElementById('playground');
if (!root) throw new Error('expected an element with the id playground, found none');

// There, an answer is seen beside the query rather than empty variables.
const isNarrow = matchMedia('(max-width: 46rem)').matches;

createRoot(root).render(
  <>
    <h1 className="reel-title">Reel playground</h1>
    <GraphiQL fetcher={fetcher} defaultTabs={startersFor(session)} defaultEditorToolsVisibility={!isNarrow}>
      <GraphiQL.Logo>
        <SignedIn />
      </GraphiQL.Logo>
    </GraphiQL>
  </>,
);
