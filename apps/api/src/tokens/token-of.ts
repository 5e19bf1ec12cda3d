// The token in the details that a reader returns.

import type { OwnedDetails, OwnedToken } from '@app/tokens';

export const tokenOf = ({ current_user: _, ...details }: OwnedDetails): OwnedToken => withoutHistory(details);

const withoutHistory = ({ history: _, ...token }: OwnedToken & Pick<OwnedDetails, 'history'>): OwnedToken => token;
