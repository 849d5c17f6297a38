import './tokens.css';
import './base.css';
import './layout.css';
import { createApp } from 'vue';
import { createReel } from '../reel/index.js';
import App from './App.vue';
import { i18n, initialLanguage, switchLanguage } from './i18n.js';
import { readLink } from './link.js';
import { readEmbedding } from './session/embedding.js';
import { askOtherTabs, useSession } from './session/session.js';
import { createStage, STAGE } from './stage.js';

const app = createApp(App).use(i18n);
// While it comes, the first rows are asked for.
const language = switchLanguage(initialLanguage(readLink(location.search).lang));
const embedding = readEmbedding(location.hash);
const session = useSession({ isEmbedded: embedding !== null });
if (!embedding && !session.token.value && !/[#&]token=/.test(location.hash)) {
  const shared = await askOtherTabs();
  if (shared) session.signIn(`token=${shared.token}${shared.tenant ? `&tenant=${shared.tenant}` : ''}`);
}
const stage = app.runWithContext(() => createStage(session, embedding));
app.use(createReel({ url: new URL('graphql', document.baseURI).href, headers: stage.headers }));
app.provide(STAGE, stage);
stage.start();
await language;
app.mount('#stage');
