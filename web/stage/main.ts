import './tokens.css';
import './stage.css';
import './layout.css';
import { createApp } from 'vue';
import { createReel } from '../reel/index.js';
import App from './App.vue';
import { readLink } from './link.js';
import { useSession } from './session.js';
import { createStage, STAGE } from './stage.js';
import { firstLanguage, i18n, speak } from './words.js';

const app = createApp(App).use(i18n);
await speak(firstLanguage(readLink(location.search).lang));
const stage = app.runWithContext(() => createStage(useSession()));
app.use(createReel({ url: new URL('graphql', document.baseURI).href, headers: stage.headers }));
app.provide(STAGE, stage);
stage.begin();
app.mount('#stage');
